"""Scores of an eye from the front: its catchlight and the colour of its iris."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_cie76, rgb2lab

from stylesdf_core.evaluation.metrics.image_metrics import luma
from stylesdf_core.heads.measure.truth import TrueEye

FloatArray = npt.NDArray[np.float32]

#: Fewest pixels of an iris, at 256²; an eye with fewer pixels is nearly closed and is left out.
FEWEST_PIXELS = 8
#: Least contrast of a true catchlight to the pixels around it, as a share of the luma's range.
VISIBLE = 0.15
#: The ring of pixels around a spot: least and greatest distance, pixels at 256², and the share of
#: the ring that may be brighter than a catchlight, such as lid or white of the eye. At an edge,
#: half of the ring is brighter.
_RING, _BRIGHTER = (2.5, 4.0), 0.25


@dataclass(frozen=True)
class IrisScore:
    """One eye from the front, in the model and in the truth.

    Attributes:
        catchlight, true_catchlight: contrast (luma in [0, 1]) of the brightest pixel near the true
            catchlight's place to the ring of pixels around that pixel.
        unlit: this contrast in a true picture without catchlights.
        color, true_color: the iris's mean colour, sRGB in [0, 1].
    """

    seed: int
    catchlight: float
    true_catchlight: float
    unlit: float
    color: tuple[float, float, float]
    true_color: tuple[float, float, float]

    @property
    def lit(self) -> bool:
        """Whether the truth has a catchlight."""
        return self.true_catchlight >= VISIBLE

    def is_bright(self, contrast: float) -> bool:
        """Whether ``contrast`` is at least half of the true catchlight's."""
        return contrast >= 0.5 * self.true_catchlight


def score_irises(
    seed: int, image: FloatArray, truth: FloatArray, unlit: FloatArray, eyes: Sequence[TrueEye]
) -> list[IrisScore]:
    """Scores of the eyes that are open.

    Args:
        image, truth, unlit: (S, S, 3) in [0, 1], of the size of the eyes' masks; ``unlit`` is a
            true picture of the head without catchlights.
    """
    fewest = FEWEST_PIXELS * (len(truth) / 256.0) ** 2
    scores = []
    for eye in eyes:
        if eye.iris.sum() < fewest or not eye.around_catchlight.any():
            continue
        scores.append(
            IrisScore(
                seed,
                catchlight=_contrast(image, eye),
                true_catchlight=_contrast(truth, eye),
                unlit=_contrast(unlit, eye),
                color=_mean_color(image, eye),
                true_color=_mean_color(truth, eye),
            )
        )
    return scores


def color_differences(scores: Sequence[IrisScore]) -> tuple[FloatArray, FloatArray]:
    """ΔE (CIE 1976) from each true iris to the model's, and to the mean true iris; (N,) each."""
    colors, truths = (
        np.array([getattr(score, name) for score in scores]) for name in ("color", "true_color")
    )
    true_lab = rgb2lab(truths)
    mean = np.broadcast_to(rgb2lab(truths.mean(axis=0)), true_lab.shape)
    return deltaE_cie76(rgb2lab(colors), true_lab), deltaE_cie76(mean, true_lab)


def _contrast(picture: FloatArray, eye: TrueEye) -> float:
    bright = luma(picture)
    near = np.where(eye.around_catchlight, bright, -np.inf)
    row, column = np.unravel_index(near.argmax(), near.shape)
    rows, columns = np.ogrid[: len(bright), : bright.shape[1]]
    away = np.hypot(rows - row, columns - column) * 256.0 / len(bright)
    ring = bright[(away >= _RING[0]) & (away < _RING[1])]
    return float(bright[row, column] - np.quantile(ring, 1.0 - _BRIGHTER))


def _mean_color(picture: FloatArray, eye: TrueEye) -> tuple[float, float, float]:
    red, green, blue = picture[eye.iris].mean(axis=0).tolist()
    return red, green, blue
