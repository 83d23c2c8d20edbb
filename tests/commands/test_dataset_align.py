"""``dataset align``: loose photographs become training pictures, and the rest is accounted for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from stylesdf_core.commands.dataset import DatasetAlign, DatasetCheck
from stylesdf_core.data.frame_presets import JOURNAL
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.judges import aligning
from stylesdf_core.judges.aligning import LEFT_OUT, TABLE
from stylesdf_core.judges.dlib_judge import has_dlib
from stylesdf_core.model.model import load_model
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

pytestmark = pytest.mark.skipif(not has_dlib(), reason="needs the extra judges")


@pytest.fixture(scope="module")
def head() -> Image.Image:
    """A rendered head at azimuth 0.4."""
    engine = Engine(load_model("heads"))
    scene = Scene(identity=Identity(2), camera=OrbitCamera(0.4))
    return Image.fromarray(engine.render(scene, "image").to_uint8())


@pytest.fixture
def photos(tmp_path: Path, head: Image.Image) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save(folder / "astronaut.jpg", quality=95)
    Image.fromarray(data.coffee()[:200, :200]).save(folder / "coffee.png")
    head.save(folder / "more" / "head.png")
    head.rotate(15, Image.Resampling.BICUBIC).save(folder / "more" / "rolled.png")
    head.rotate(90).save(folder / "more" / "lying.png")
    head.resize((56, 56)).save(folder / "more" / "tiny.png")
    head.crop((0, 60, 256, 256)).save(folder / "more" / "truncated.png")
    (folder / "words.jpg").write_text("no picture")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_photographs_become_a_data_set(photos: Path, tmp_path: Path, head: Image.Image) -> None:
    out = tmp_path / "out"
    request = DatasetAlign(
        photos=photos, out=out, preset="heads", size=128, most_outside=0.15, jobs=1
    )
    progress = list(request.run())
    assert progress[0].done == 0
    report = drain(request.run())
    assert report.crops == 3
    assert "--poses.azimuth-std" in str(report)

    table = {row["photo"]: row for row in rows(out / TABLE)}
    assert set(table) == {"astronaut.jpg", "more/head.png", "more/rolled.png"}
    for name, roll in (("more/head.png", 0.0), ("more/rolled.png", -0.26)):
        assert float(table[name]["azimuth"]) == pytest.approx(0.4, abs=0.1)
        assert float(table[name]["roll"]) == pytest.approx(roll, abs=0.05)
        with Image.open(out / table[name]["file"]) as image:
            assert image.size == (128, 128)
            shown = np.asarray(image).astype(float)
        wanted = np.asarray(head.resize((128, 128), Image.Resampling.LANCZOS)).astype(float)
        assert np.abs(shown - wanted)[32:96, 32:96].mean() < 25.0  # the head, upright, in place

    reasons = {row["photo"]: row["reason"] for row in rows(out / LEFT_OUT)}
    assert set(reasons) == {
        "coffee.png", "more/lying.png", "more/tiny.png", "more/truncated.png", "words.jpg",
    }  # fmt: skip
    assert "no face is found" in reasons["coffee.png"]
    assert "turned by about 90° anticlockwise" in reasons["more/lying.png"]
    assert "64 are needed" in reasons["more/tiny.png"]
    assert "beyond the photograph's edge" in reasons["more/truncated.png"]
    assert "cannot be read" in reasons["words.jpg"]
    assert drain(DatasetCheck(data=out, size=128).run()).usable == 3


def test_a_second_run_goes_on(
    photos: Path, tmp_path: Path, head: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("coffee.png", "more/lying.png", "words.jpg"):
        (photos / name).unlink()
    out = tmp_path / "out"
    request = DatasetAlign(photos=photos, out=out, size=64, jobs=1)
    operation = request.run()
    while next(operation).done < 2:
        pass
    operation.close()
    assert not (out / TABLE).exists()

    seen: list[str] = []
    work = aligning.align_photo

    def watched(*arguments: object) -> object:
        seen.append(str(arguments[-1]))
        return work(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(aligning, "align_photo", watched)
    head.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "more" / "head.png")
    (out / "more" / "rolled.png.1.png").unlink(missing_ok=True)
    with open(out / JOURNAL, "ab") as stream:
        stream.write(b'{"photo": "more/ti')  # the power failed while this was written
    drain(request.run())
    assert "astronaut.jpg" not in seen
    assert {"more/head.png", "more/rolled.png"} <= set(seen)
    table = {row["photo"]: row for row in rows(out / TABLE)}
    assert float(table["more/head.png"]["azimuth"]) == pytest.approx(-0.4, abs=0.1)
    seen.clear()
    drain(request.run())
    assert not seen
    with pytest.raises(InputError, match="was made with preset ffhq, not heads"):
        drain(DatasetAlign(photos=photos, out=out, size=64, preset="heads").run())


def test_what_cannot_be_aligned_is_said(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        drain(DatasetAlign(photos=tmp_path / "none", out=tmp_path / "out").run())
    with pytest.raises(InputError, match="outside of --photos"):
        drain(DatasetAlign(photos=photos, out=photos / "out").run())
    with pytest.raises(InputError, match="holds other files"):
        drain(DatasetAlign(photos=photos, out=photos.parent).run())
    for path in photos.glob("*.jpg"):
        path.unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no photographs"):
        drain(DatasetAlign(photos=empty, out=tmp_path / "out").run())
    Image.new("RGB", (90, 90)).save(empty / "black.png")
    with pytest.raises(InputError, match=r"can be used: black\.png: no face is found"):
        drain(DatasetAlign(photos=empty, out=tmp_path / "out", jobs=1).run())
