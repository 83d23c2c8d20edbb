"""Adaptive augmentation: what the transforms do to images, and what their probability follows."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.seeds import seeded
from stylesdf_core.training.adversarial.batches.augmentation import NUMBERS, Augmentation, augmented
from stylesdf_core.training.adversarial.config.augmentation import FEW_IMAGES, AugmentConfig
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import ADJUSTABLE, RendererConfig
from stylesdf_core.training.loop import train_run
from tests.training.adversarial.stage_phases import (
    Config,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    stage_config,
    start,
    state,
)

TRANSFORMS = (
    "shift across and down", "size", "width by height", "angle",
    "brightness", "contrast", "hue", "saturation",
)  # fmt: skip


def numbers_of(transform: str, first: float, second: float = 0.5) -> torch.Tensor:
    """Numbers of one image by which only one transform happens at a probability of 0.5."""
    numbers = torch.full((1, *NUMBERS), 0.5)
    numbers[:, :, 0] = 0.9
    numbers[0, TRANSFORMS.index(transform)] = torch.tensor([0.0, first, second])
    return numbers


def ramp(size: int = 32) -> torch.Tensor:
    """A picture (1, 3, size, size): red rises to the right, green downwards, blue is even."""
    across = (torch.arange(size) + 0.5) / size * 2.0 - 1.0
    return torch.stack(
        [across.expand(size, size), across[:, None].expand(size, size), torch.zeros(size, size)]
    )[None]


def test_without_a_probability_the_images_are_the_same_tensor() -> None:
    images = ramp()
    assert augmented(images, torch.zeros(1, *NUMBERS), 0.0) is images


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transform_that_happens_changes_the_image_and_one_that_does_not_leaves_it(
    transform: str,
) -> None:
    images = torch.rand(1, 3, 32, 32, generator=seeded(1)) * 2.0 - 1.0
    changed = augmented(images, numbers_of(transform, 0.8, 0.7), 0.5)
    assert (changed - images).abs().mean() > 0.02
    unchanged = augmented(images, numbers_of(transform, 0.8, 0.7) + 0.5, 0.5)
    torch.testing.assert_close(unchanged, images, rtol=0, atol=1e-5)


def test_half_a_turn_and_grey_are_where_they_should_be() -> None:
    images = ramp()
    turned = augmented(images, numbers_of("angle", 1.0), 0.5)
    torch.testing.assert_close(turned, images.flip(-1, -2), rtol=0, atol=1e-4)
    third = augmented(images, numbers_of("hue", 0.5 + 1.0 / 3.0), 0.5)  # a third of the circle
    torch.testing.assert_close(third, images[:, [2, 0, 1]], rtol=0, atol=1e-5)
    grey = augmented(images, numbers_of("saturation", 1e-4), 0.5)
    spread = (grey - grey.mean(dim=1, keepdim=True)).abs().max()
    assert spread < 0.11 * (images - images.mean(dim=1, keepdim=True)).abs().max()
    brighter = augmented(images, numbers_of("brightness", 0.8413447), 0.5)  # one deviation: 0.2
    assert float((brighter - images).mean()) == pytest.approx(0.2, abs=2e-3)


def test_each_transform_happens_as_often_as_its_probability() -> None:
    """Of 4,000 images at p 0.3, a share (1 − p)⁸ = 0.058 is untransformed; ± 4 deviations."""
    images = torch.rand(1, 3, 8, 8, generator=seeded(2)).expand(4000, -1, -1, -1)
    numbers = torch.rand(4000, *NUMBERS, generator=seeded(3))
    change = (augmented(images, numbers, 0.3) - images).abs().amax(dim=(1, 2, 3))
    share = float((change < 1e-4).float().mean())
    assert share == pytest.approx(0.7**8, abs=4.0 * (0.058 * 0.942 / 4000) ** 0.5)


def test_gradients_pass_through_the_transforms() -> None:
    images = torch.rand(2, 3, 6, 6, generator=seeded(4), dtype=torch.float64, requires_grad=True)
    numbers = torch.rand(2, *NUMBERS, generator=seeded(5), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda shown: augmented(shown, numbers, 0.9), (images,))


def test_the_probability_follows_the_sign_of_the_scores_of_real_images() -> None:
    augmentation = Augmentation(AugmentConfig(mode="on", images=1_000), torch.device("cpu"))
    steps = itertools.count()

    def four(*signs: float) -> float:
        """The probability after four steps of 25 images, a tenth of a thousand."""
        for sign in signs:
            augmentation.follow(next(steps), torch.tensor(sign), batch=25)
        return float(augmentation.probability)

    assert four(0.9, 0.9, 0.9) == 0.0, "after four steps only"
    assert four(0.0) == pytest.approx(0.1), "the mean of the four steps is 0.675"
    assert four(0.7, 0.7, 0.7, 0.7) == pytest.approx(0.2)
    assert four(0.5, 0.5, 0.5, 0.7) == pytest.approx(0.1)
    for _ in range(3):
        four(-1.0, -1.0, -1.0, -1.0)
    assert float(augmentation.probability) == 0.0
    for _ in range(10):
        four(1.0, 1.0, 1.0, 1.0)
    assert float(augmentation.probability) == pytest.approx(0.8), "more would leak"


def test_the_papers_presets_do_not_augment_and_few_images_do() -> None:
    assert not preset(RendererConfig, "ffhq", data="x").augment.is_on(100)
    assert not preset(RendererConfig, "afhq", data="x").augment.is_on(100)
    tiny = preset(RendererConfig, "tiny", data="x").augment
    assert tiny.is_on(FEW_IMAGES - 1)
    assert not tiny.is_on(FEW_IMAGES)
    with pytest.raises(InputError, match=r"augment.target must lie between −1 and 1, not 1\.0"):
        AugmentConfig(target=1.0)
    with pytest.raises(InputError, match=r"augment.images must be at least 1, not 0"):
        AugmentConfig(images=0)


def eager(config: Config) -> Config:
    """With augmentation that becomes frequent at once, whatever the scores."""
    return replace(config, augment=AugmentConfig(mode="on", target=-0.99, images=100))


@pytest.mark.parametrize("name", ["renderer", "joint"])
def test_chunks_give_the_gradients_of_the_whole_batch(name: str, folder: Path) -> None:
    config = stage_config(name, folder)
    config = eager(replace(config, batch=4 * config.chunk))
    with double_precision():
        found = []
        for chunk in (config.batch, config.chunk):
            phase = phase_of(replace(config, chunk=chunk))
            for augmentation in phase.augmentations.values():
                augmentation.probability.fill_(0.7)
            found.append(gradients(phase, 2))
        plain = gradients(phase_of(config), 2)
    assert_same_gradients(found[1], found[0])
    key = next(key for key in plain if key.startswith("generator."))
    assert not torch.allclose(plain[key], found[0][key]), "the generator's loss sees the transforms"


@pytest.mark.parametrize("name", ["renderer", "joint"])
def test_a_run_records_its_probability_and_resumes_with_it(name: str, folder: Path) -> None:
    config = eager(replace(stage_config(name, folder), steps=6))
    whole = start(folder / f"{name}-whole", config)
    drain(train_run(whole))
    last = {name: value for record in whole.read_stats() for name, value in record.items()}
    found = [value for name, value in last.items() if name.endswith("augment_p")]
    assert len(found) == {"renderer": 1, "joint": 2}[name]
    assert all(0.0 < value < 0.8 for value in found)
    resumed = start(folder / f"{name}-resumed", replace(config, steps=5))
    drain(train_run(resumed))
    resumed.write_config(to_json(config), ADJUSTABLE)
    drain(train_run(resumed))
    ours, theirs = state(resumed)["networks"], state(whole)["networks"]
    kept = [values for name, values in theirs.items() if name.endswith("_augmentation")]
    assert all("signs" in values for values in kept), "of the steps since the last change"
    assert ours.keys() == theirs.keys()
    for network, values in theirs.items():
        for key, value in values.items():
            assert torch.equal(ours[network][key], value), f"{network}.{key}"
