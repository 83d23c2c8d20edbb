"""The form of a new run is the commands' own fields."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from app.train.dataset_preview import CELL, Preview, PreviewRequest, look
from app.train.training_form import (
    STAGES,
    FieldError,
    RunForm,
    checked_name,
    defaults,
    is_apart,
    presets,
    request_of,
    sections,
    starting_points,
)
from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.commands.train_stages import TrainDecoder, TrainRenderer
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config import PRESETS, ImagesConfig
from stylesdf_core.training.adversarial.real_images import open_real_images
from stylesdf_core.training.run_summary import RunSummary
from stylesdf_core.training.world import Share
from tests.training.adversarial.stage_phases import write_images


@pytest.mark.parametrize("stage", STAGES)
def test_every_field_of_the_command_is_in_the_form(stage: str) -> None:
    shown = [field.name for _, fields in sections(stage) for field in fields]
    names = {item.name for item in dataclasses.fields(STAGES[stage])}
    expected = {name for name in names if not is_apart(stage, name)}
    assert sorted(shown) == sorted(expected)
    assert all(field.help and field.label for _, fields in sections(stage) for field in fields)
    assert "More" not in [heading for heading, _ in sections(stage)], "a field without a heading"


def test_an_empty_form_is_the_command_without_flags() -> None:
    form = RunForm(data="/pictures", preset="tiny")
    request = request_of(form, Path("/runs"), name="mine")
    expected = TrainRenderer(run_dir=Path("/runs/mine"), data=Path("/pictures"), preset="tiny")
    assert request == expected
    assert set(presets()) == set(PRESETS)


def test_what_is_typed_is_what_is_asked_for() -> None:
    form = RunForm(stage="decoder", data="/p", init="/runs/v", preset="heads", name="second")
    for name, text in (
        ("steps", "12,000"), ("held_out", "0,1"), ("flip", "no"), ("r1", "2.5"),
        ("precision", "bfloat16"), ("batch", " 16 "),
    ):  # fmt: skip
        form = form.with_text(name, text)
    assert request_of(form, Path("/runs")) == TrainDecoder(
        run_dir=Path("/runs/second"), data=Path("/p"), init="/runs/v", preset="heads",
        steps=12_000, held_out=0.1, flip=False, r1=2.5, precision="bfloat16", batch=16,
    )  # fmt: skip
    assert dataclasses.replace(form, stage="renderer").text("steps") == "", "stages differ"


def test_a_fit_is_asked_for_like_the_other_stages() -> None:
    form = RunForm(stage="fit", init="/runs/before")
    assert form.lacks_heads
    assert not form.wants_images
    form = form.with_text("facekit", "/face").with_text("views", "300")
    assert not form.lacks_heads
    assert request_of(form, Path("/runs"), name="mine") == TrainFit(
        run_dir=Path("/runs/mine"), facekit=Path("/face"), views=300, init="/runs/before"
    )
    assert defaults(form)["points_steps"] == "30,000"
    assert defaults(form)["views"] == "8,000"
    assert defaults(form)["data"] == str(Path("RUN_DIR", "heads"))
    fields = {item.name: item for _, items in sections("fit") for item in items}
    assert {name for name, item in fields.items() if item.kind == "folder"} == {"facekit", "data"}
    assert fields["facekit"].label == "face model"


def test_defaults_follow_the_preset_and_what_is_typed() -> None:
    form = RunForm(data="/p", preset="tiny")
    assert defaults(form)["steps"] == "1,200"
    assert defaults(dataclasses.replace(form, preset="ffhq"))["steps"] == "200,000"
    six = form.with_text("batch", "6").with_text("flip", "no")
    assert (defaults(six)["batch"], defaults(six)["chunk"], defaults(six)["flip"]) == (
        "8", "3", "yes",
    )  # fmt: skip
    assert defaults(form.with_text("steps", "many"))["steps"] == "1,200"
    assert defaults(RunForm(stage="joint", preset="tiny"))["renderer_rate"] == "2e-06"


@pytest.mark.parametrize(("name", "text"), [("steps", "1.5"), ("r1", "much"), ("held_out", "a")])
def test_what_cannot_be_read_names_its_field(name: str, text: str) -> None:
    with pytest.raises(FieldError, match="takes a") as caught:
        request_of(RunForm(data="/p").with_text(name, text), Path("/runs"))
    assert caught.value.name == name


def test_names_are_free_or_refused(tmp_path: Path) -> None:
    form = RunForm(data="/x/photos")
    assert checked_name(form, tmp_path) == "photos-renderer"
    (tmp_path / "photos-renderer").mkdir()
    assert checked_name(form, tmp_path) == "photos-renderer-2"
    for name in ("a/b", "..", "photos-renderer"):
        with pytest.raises(FieldError):
            checked_name(dataclasses.replace(form, name=name), tmp_path)


def test_later_stages_wait_for_earlier_ones() -> None:
    form = RunForm(stage="decoder")
    assert form.is_locked
    assert not dataclasses.replace(form, init="heads").is_locked
    runs = tuple(
        RunSummary(Path(stage), stage, "tiny", "stopped", 1, 2, has_weights=weights)
        for stage, weights in (("renderer", True), ("renderer", False), ("decoder", True))
    )
    assert starting_points("decoder", runs) == (runs[0],)
    assert starting_points("joint", runs) == (runs[2],)


# --- the images behind it ------------------------------------------------------------------------


def last(request: PreviewRequest) -> Preview:
    return list(look(request))[-1]


def test_the_crops_are_those_that_training_sees(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    for size, thumbs in ((8, True), (16, False)):
        preview = last(PreviewRequest(tmp_path / "images", size, thumbs, upscale=False))
        config = ImagesConfig(str(tmp_path / "images"), workers=1)
        images, _ = drain(
            open_real_images(config, size, 8 if thumbs else None, 4, seed=0, share=Share())
        )
        real = images.some(1).images[0]
        images.close()
        assert preview.sheet is not None
        cell = preview.sheet[:CELL, :CELL]
        step = CELL // size  # each pixel of the crop is a block of the sheet
        shown = cell[step // 2 :: step, step // 2 :: step].transpose(2, 0, 1)
        assert abs(shown - (real.numpy() + 1) / 2).max() < 1 / 255


def test_what_is_skipped_is_counted(tmp_path: Path) -> None:
    write_images(tmp_path)
    Image.new("RGB", (3, 3)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    preview = last(PreviewRequest(tmp_path, 16, thumbs=False, upscale=False))
    assert (preview.usable, preview.smallest, len(preview.skipped)) == (20, 18, 2)
    assert preview.reasons == "1 damaged, 1 too small"
    first = next(iter(look(PreviewRequest(tmp_path, 16, thumbs=False, upscale=False))))
    assert (first.usable, first.sheet) == (None, None)
    with pytest.raises(InputError, match="no folder"):
        last(PreviewRequest(tmp_path / "nowhere", 16, thumbs=False, upscale=False))
