"""The heads command: whole files, the same bytes however it was run, and resuming."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.heads.make import MakeHeads
from stylesdf_core.errors import GraphicsError, InputError, OutputError
from stylesdf_core.evaluation.measures.true_depths import frontal_depths
from stylesdf_core.heads.dataset import DEPTH_BACKGROUND, DatasetSettings, dataset_camera
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.latent import dataset_latent
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera

SIZE = 32


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def request_(facekit_path: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeHeads:
    out = tmp_path_factory.mktemp("heads") / "set"
    made = MakeHeads(
        facekit=facekit_path, out=out, count=3, size=SIZE, views=2, seed=5, depth=True, jobs=1
    )
    try:
        drain(made.run())
    except GraphicsError as error:
        pytest.skip(str(error))
    return made


def test_files_are_what_the_table_says(request_: MakeHeads) -> None:
    lines = (request_.out / "metadata.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["index"], row["view"]) for row in rows] == [(i // 2, i % 2) for i in range(6)]
    renderer = HeadRenderer(MorphableModel.load(request_.facekit))
    description = json.loads((request_.out / "dataset.json").read_text())
    settings = DatasetSettings(**description["settings"])
    for row in rows[2:4]:
        z = np.array(row["z"], np.float32)
        assert np.array_equal(z, dataset_latent(5, 1))
        camera = OrbitCamera(row["azimuth"], row["elevation"], row["fov"])
        assert camera == dataset_camera(settings, 1, row["view"])
        image = np.asarray(Image.open(request_.out / row["file"]))
        drawn = renderer.picture(renderer.shape(z), camera, SIZE)
        assert np.array_equal(image, drawn.image)
        depth = np.asarray(Image.open(request_.out / row["depth"])).astype(np.float64)
        truth = renderer.gbuffer(renderer.shape(z), camera, SIZE).depth
        assert np.array_equal(depth == DEPTH_BACKGROUND, np.isinf(truth))
        t = NEAR + depth / 65534 * (FAR - NEAR)
        assert np.abs(t - truth)[np.isfinite(truth)].max() < 3e-6
    renderer.close()


def test_processes_give_the_same_bytes(request_: MakeHeads, tmp_path: Path) -> None:
    drain(replace(request_, out=tmp_path / "set", jobs=2).run())
    assert _files(tmp_path / "set") == _files(request_.out)


def test_a_killed_data_set_goes_on_and_grows(request_: MakeHeads, tmp_path: Path) -> None:
    cut = replace(request_, out=tmp_path / "set", count=2)
    operation = cut.run()
    while next(operation).done < 1:
        pass
    operation.close()
    assert len(_files(cut.out)) == 4 + 2  # two pictures, two depth maps, two tables
    table = cut.out / "metadata.jsonl"
    table.write_bytes(table.read_bytes()[:-100])  # as if killed while writing a line
    kept = cut.out / "images" / "000" / "000000-0.png"
    written = kept.stat().st_mtime_ns
    longer = replace(cut, count=3)
    progress = list(longer.run())
    assert kept.stat().st_mtime_ns == written
    assert progress[-1].done == 3
    assert _files(cut.out) == _files(request_.out)
    assert [p.message for p in longer.run()] == ["reading the face model"]


def test_lossless_webp(request_: MakeHeads, tmp_path: Path) -> None:
    drain(replace(request_, out=tmp_path / "set", count=1, depth=False, format="webp").run())
    webp = Image.open(tmp_path / "set" / "images" / "000" / "000000-0.webp")
    png = Image.open(request_.out / "images" / "000" / "000000-0.png")
    assert np.array_equal(np.asarray(webp), np.asarray(png))


def test_backgrounds_lie_behind_the_same_heads_and_masks_beside(
    request_: MakeHeads, tmp_path: Path
) -> None:
    with_ = replace(request_, out=tmp_path / "set", count=2, backgrounds=True)
    drain(with_.run())
    again = replace(with_, out=tmp_path / "again", jobs=2)
    drain(again.run())
    assert _files(with_.out) == _files(again.out)
    rows = [json.loads(line) for line in (with_.out / "metadata.jsonl").read_text().splitlines()]
    shown = []
    for row in rows:
        image, plain = (
            np.asarray(Image.open(out / row["file"])).astype(int)
            for out in (with_.out, request_.out)
        )
        mask = np.asarray(Image.open(with_.out / row["mask"]))
        depth = np.asarray(Image.open(with_.out / row["depth"]))
        assert np.array_equal(image[mask == 255], plain[mask == 255]), "the head is the same"
        assert np.abs(image - plain)[mask == 0].mean() > 8.0, "its background is not"
        assert ((mask > 127) == (depth != DEPTH_BACKGROUND)).mean() > 0.97
        shown.append(image[mask == 0].std(axis=0))
    assert min(deviation.max() for deviation in shown) > 2.0, "no background is of one colour"
    with pytest.raises(InputError, match="holds a data set with backgrounds True"):
        drain(replace(with_, backgrounds=False).run())


def test_heads_from_the_front_are_a_truth_for_surfaces(request_: MakeHeads, tmp_path: Path) -> None:
    out = tmp_path / "set"
    drain(replace(request_, out=out, count=1, azimuth_std=0.0, elevation_std=0.0).run())
    (shape,) = frontal_depths(out)
    assert shape.camera == OrbitCamera()
    renderer = HeadRenderer(MorphableModel.load(request_.facekit))
    head = renderer.shape(dataset_latent(5, 0))
    truth = renderer.gbuffer(head, shape.camera, SIZE)
    renderer.close()
    points = shape.points(SIZE)
    assert np.array_equal(np.isfinite(points[..., 2]), truth.mask)
    assert np.abs(points - truth.position)[truth.mask].max() < 1e-5


def test_a_data_set_without_the_newer_settings_goes_on(request_: MakeHeads, tmp_path: Path) -> None:
    old = replace(request_, out=tmp_path / "set")
    shutil.copytree(request_.out, old.out)
    file = old.out / "dataset.json"
    description = json.loads(file.read_text())
    for name in ("backgrounds", "azimuth_std", "elevation_std"):
        del description["settings"][name]
    file.write_text(json.dumps(description))
    drain(old.run())
    with pytest.raises(InputError, match=r"holds a data set with azimuth_std 0\.3"):
        drain(replace(old, azimuth_std=0.0).run())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 64}, "holds a data set with size 32"),
        ({"seed": 6, "views": 1}, "seed 5, views 2"),
        ({"count": 0}, "--count must lie between 1 and 1000000, not 0"),
        ({"size": 8}, "--size must .* not 8"),
        ({"views": 0}, "--views must .* not 0"),
        ({"seed": -1}, "--seed must .* not -1"),
        ({"azimuth_std": 1.0}, "--azimuth-std must .* 0.9 radians, not 1"),
        ({"jobs": 0}, "--jobs must .* not 0"),
        ({"facekit": Path("nowhere.npz")}, "No face model at nowhere"),
    ],
)
def test_wrong_values_and_other_data_sets_are_refused(
    request_: MakeHeads, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        drain(replace(request_, **change).run())


def test_other_folders_are_left_alone(request_: MakeHeads, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(InputError, match="not empty"):
        drain(replace(request_, out=tmp_path).run())
    with pytest.raises(OutputError, match="Cannot use"):
        drain(replace(request_, out=tmp_path / "letter.txt" / "set").run())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
