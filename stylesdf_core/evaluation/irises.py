"""What is on the eyeballs: catchlights and the irises' colour, beside the truth's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_cie76, rgb2lab

from stylesdf_core.evaluation.heads_truth import TrueEye

FloatArray = npt.NDArray[np.float32]

#: Fewer pixels of an iris say nothing: the eye is all but closed.
FEWEST_PIXELS = 8
#: A true catchlight rises above its iris by at least this, of the luma's range.
VISIBLE = 0.15
#: Rec. 601, as elsewhere.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class IrisScore:
    """One eye from the front, in the model and in the truth.

    Attributes:
        catchlight, true_catchlight: by how much the brightest pixel around the true catchlight's
            place is above the iris's median, luma in [0, 1].
        blurred_catchlight: the same of the blurred truth.
        color, true_color: the iris's mean colour, sRGB in [0, 1].
    """

    seed: int
    catchlight: float
    true_catchlight: float
    blurred_catchlight: float
    color: tuple[float, float, float]
    true_color: tuple[float, float, float]

    @property
    def lit(self) -> bool:
        """Whether the truth has a catchlight."""
        return self.true_catchlight >= VISIBLE

    def shows(self, contrast: float) -> bool:
        """Whether ``contrast`` is at least half of the true catchlight's."""
        return contrast >= 0.5 * self.true_catchlight


def score_irises(
    seed: int, image: FloatArray, truth: FloatArray, blurred: FloatArray, eyes: Sequence[TrueEye]
) -> list[IrisScore]:
    """Scores of the eyes that are open; pictures are (S, S, 3) in [0, 1], as the eyes' masks."""
    scores = []
    for eye in eyes:
        if eye.iris.sum() < FEWEST_PIXELS or not eye.around_catchlight.any():
            continue
        scores.append(
            IrisScore(
                seed,
                catchlight=_contrast(image, eye),
                true_catchlight=_contrast(truth, eye),
                blurred_catchlight=_contrast(blurred, eye),
                color=_mean_color(image, eye),
                true_color=_mean_color(truth, eye),
            )
        )
    return scores


def color_differences(scores: Sequence[IrisScore]) -> tuple[FloatArray, FloatArray]:
    """ΔE (CIE 1976) of each iris to the true one, and of the mean true iris to it, (N,) each."""
    colors, truths = (
        np.array([getattr(score, name) for score in scores]) for name in ("color", "true_color")
    )
    true_lab = rgb2lab(truths)
    mean = np.broadcast_to(rgb2lab(truths.mean(axis=0)), true_lab.shape)
    return deltaE_cie76(rgb2lab(colors), true_lab), deltaE_cie76(mean, true_lab)


def _contrast(picture: FloatArray, eye: TrueEye) -> float:
    luma = picture @ _LUMA
    return float(luma[eye.around_catchlight].max() - np.median(luma[eye.iris]))


def _mean_color(picture: FloatArray, eye: TrueEye) -> tuple[float, float, float]:
    red, green, blue = picture[eye.iris].mean(axis=0).tolist()
    return red, green, blue
