"""The form of a new run is the commands' own fields."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from app.train.state.dataset_preview import CELL, Preview, PreviewRequest, look_at_images
from app.train.state.training_form import (
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
from stylesdf_core.commands.field_help import settings_of
from stylesdf_core.commands.train.fit import TrainFit
from stylesdf_core.commands.train.stages import TRAIN_COMMANDS, TrainDecoder, TrainRenderer
from stylesdf_core.data.images import list_skipped
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig, HeadsConfig
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.batches.real_images import open_real_images
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.adversarial.config.presets import PRESETS, preset
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    RendererConfig,
)
from stylesdf_core.training.runs.run_summary import RunSummary
from stylesdf_core.training.settings import with_values
from stylesdf_core.training.world import Share
from tests.models import save_tiny
from tests.training.adversarial.stage_phases import write_images


@pytest.mark.parametrize("stage", TRAIN_COMMANDS)
def test_every_setting_of_the_command_is_in_the_form(stage: str) -> None:
    shown = [field.name for _, fields in sections(stage) for field in fields]
    paths = [setting.path for setting in settings_of(TRAIN_COMMANDS[stage])]
    names = [path.removeprefix("config.") for path in paths]
    assert sorted(shown) == sorted(name for name in names if not is_apart(stage, name))
    assert all(field.help and field.label for _, fields in sections(stage) for field in fields)
    assert "More" not in [heading for heading, _ in sections(stage)], "a setting without a heading"
    assert set(defaults(RunForm(stage=stage))) >= set(names)


def test_an_empty_form_is_the_command_without_flags() -> None:
    form = RunForm(data="/pictures", preset="tiny")
    request = request_of(form, Path("/runs"), name="mine")
    config = preset(RendererConfig, "tiny", data="/pictures")
    assert request == TrainRenderer(run_dir=Path("/runs/mine"), config=config)
    assert set(presets()) == set(PRESETS)


def test_typed_texts_become_settings() -> None:
    form = RunForm(stage="decoder", data="/p", init="/runs/v", preset="heads", name="second")
    for name, text in (
        ("steps", "12,000"), ("images.held_out", "0,1"), ("images.flip", "no"),
        ("image.r1", "2.5"), ("run.precision", "bfloat16"), ("batch", " 16 "), ("gpus", "2"),
    ):  # fmt: skip
        form = form.with_text(name, text)
    config = with_values(
        preset(DecoderStageConfig, "heads", data="/p", init="/runs/v"),
        {
            "steps": 12_000, "images.held_out": 0.1, "images.flip": False, "image.r1": 2.5,
            "run.precision": "bfloat16", "batch": 16,
        },
    )  # fmt: skip
    expected = TrainDecoder(run_dir=Path("/runs/second"), config=config, gpus=2)
    assert request_of(form, Path("/runs")) == expected
    assert dataclasses.replace(form, stage="renderer").text("steps") == "", "stages differ"


def test_a_fit_is_requested_like_the_other_stages() -> None:
    form = RunForm(stage="fit", init="/runs/before")
    assert form.lacks_heads
    assert not form.wants_images
    form = form.with_text("heads.facekit", "/face").with_text("heads.views", "300")
    assert not form.lacks_heads
    config = FitConfig(heads=HeadsConfig(facekit="/face", views=300), init="/runs/before")
    assert request_of(form, Path("/runs"), name="mine") == TrainFit(
        run_dir=Path("/runs/mine"), config=config
    )
    assert defaults(form)["points.steps"] == "30,000"
    assert defaults(form)["heads.views"] == "8,000"
    fields = {item.name: item for _, items in sections("fit") for item in items}
    folders = {name for name, item in fields.items() if item.kind == "folder"}
    assert folders == {"heads.facekit", "data"}
    assert fields["heads.facekit"].label == "face model"


def test_defaults_follow_the_preset() -> None:
    form = RunForm(data="/p", preset="tiny")
    assert defaults(form)["steps"] == "1,600"
    assert defaults(dataclasses.replace(form, preset="ffhq"))["steps"] == "200,000"
    assert defaults(form)["images.flip"] == "yes"
    typed = form.with_text("steps", "many").with_text("batch", "6")
    assert (defaults(typed)["steps"], defaults(typed)["batch"]) == ("1,600", "8")
    assert defaults(RunForm(stage="joint", preset="tiny"))["renderer_rate"] == "2e-06"


@pytest.mark.parametrize(
    ("name", "text"), [("steps", "1.5"), ("volume.r1", "much"), ("images.held_out", "a")]
)
def test_a_text_that_is_no_number_names_its_field(name: str, text: str) -> None:
    with pytest.raises(FieldError, match="takes a") as caught:
        request_of(RunForm(data="/p").with_text(name, text), Path("/runs"))
    assert caught.value.name == name


@pytest.mark.parametrize(("name", "text"), [("steps", "0"), ("volume.r1", "-1")])
def test_a_number_out_of_range_names_its_field(name: str, text: str) -> None:
    with pytest.raises(FieldError, match="must be at least") as caught:
        request_of(RunForm(data="/p").with_text(name, text), Path("/runs"))
    assert caught.value.name == name


def test_a_taken_or_impossible_name_is_refused(tmp_path: Path) -> None:
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
    return list(look_at_images(request))[-1]


def test_the_crops_are_those_that_training_sees(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    for size, thumbs in ((8, True), (16, False)):
        preview = last(PreviewRequest(tmp_path / "images", size, upscale=False))
        config = ImagesConfig(workers=1, held_out=0.0)
        images, _ = drain(
            open_real_images(
                tmp_path / "images", config, size, 8 if thumbs else None, 4, seed=0, share=Share()
            )
        )
        real = images.some(1).images()[0]
        images.close()
        assert preview.sheet is not None
        cell = preview.sheet[:CELL, :CELL]
        step = CELL // size  # each pixel of the crop is a block of the sheet
        shown = cell[step // 2 :: step, step // 2 :: step].transpose(2, 0, 1)
        assert abs(shown - (real.numpy() + 1) / 2).max() < 1 / 255


def test_skipped_images_are_named_with_their_reasons(tmp_path: Path) -> None:
    write_images(tmp_path)
    Image.new("RGB", (3, 3)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    preview = last(PreviewRequest(tmp_path, 16, upscale=False))
    assert (preview.usable, preview.smallest, len(preview.skipped)) == (20, 18, 2)
    named = list_skipped(preview.skipped)
    assert "cannot be read: no format that Pillow knows" in named
    assert all(item.name in named for item in preview.skipped)
    first = next(iter(look_at_images(PreviewRequest(tmp_path, 16, upscale=False))))
    assert (first.usable, first.sheet) == (None, None)
    weights = save_tiny(tmp_path / "whole.safetensors")
    joint = last(PreviewRequest(tmp_path, 0, upscale=False, init=str(weights)))
    assert joint.skipped[0].reason.endswith("half of 64 are needed"), "the size of the model"
    with pytest.raises(InputError, match="no folder"):
        last(PreviewRequest(tmp_path / "nowhere", 16, upscale=False))
