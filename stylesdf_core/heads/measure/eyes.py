"""Whether OpenCV's Haar cascade finds both eyes of a frontal face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.picture import eight_bit
from stylesdf_core.evaluation.metrics.image_metrics import enlarge
from stylesdf_core.judges.cascade import load_cascade

FloatArray = npt.NDArray[np.float32]

_SIZE = 256
#: Share of the picture's height, from the top, in which eyes are looked for.
_UPPER = 0.6
_SMALLEST, _LARGEST = (24, 24), (96, 96)


class EyeDetector:
    """``haarcascade_eye`` with fixed settings: scale step 1.05, 5 neighbours, 24 to 96 pixels.

    Raises:
        InputError: OpenCV before version 5, which contains the cascade, is not installed.
    """

    def __init__(self) -> None:
        self._cascade = load_cascade("haarcascade_eye.xml", "Looking for eyes")

    def finds_both(self, image: FloatArray) -> bool:
        """Whether an eye is found on each side of the middle of the upper 60 % of ``image``.

        Args:
            image: (H, H, 3) in [0, 1], a frontal face in the middle; it is resized to 256².
        """
        import cv2

        if len(image) != _SIZE:
            image = enlarge(image, _SIZE)
        pixels = eight_bit(image)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[: round(_UPPER * _SIZE)]
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=1.05, minNeighbors=5, minSize=_SMALLEST, maxSize=_LARGEST
        )
        middles = [x + 0.5 * width for x, _, width, _ in found]
        half = 0.5 * _SIZE
        return any(middle < half for middle in middles) and any(m >= half for m in middles)
