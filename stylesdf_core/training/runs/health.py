"""Advice on an adversarial run, in words, from rules over its recorded figures.

The monitor writes the advice into the run's records; the window shows it under the run's name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

#: β of a sharp surface; a smaller β needs no advice.
GOOD_BETA = 3e-3
#: Images within which β should fall by a hundredth.
BETA_PATIENCE = 20_000
#: Share of rays without a zero crossing beyond which the surface has vanished.
MOST_EMPTY = 0.95
#: Difference of mean logits, and generator loss, at which the discriminator has won.
WON_GAP, WON_LOSS = 20.0, 8.0
#: Mean squared deviation of ‖∇d‖ from 1 beyond which the field is no distance.
MOST_EIKONAL = 1.0
#: Weight of the newest record in running means, and records of a figure before it counts.
_NEWEST, _SETTLED = 0.2, 5


class Health:
    """Running means of a run's figures, and the advice they lead to."""

    def __init__(self) -> None:
        self._forget("")

    def _forget(self, phase: str) -> None:
        self._phase = phase
        self._means: dict[str, float] = {}
        self._seen: Counter[str] = Counter()
        self._lowest_beta = math.inf
        self._images = self._images_at_lowest = 0.0

    def see(self, record: Mapping[str, float | int | str]) -> str:
        """Take in the next record; returns the most pressing advice, empty when all is well."""
        if record.get("phase") != self._phase:
            self._forget(str(record.get("phase", "")))
        for name, value in record.items():
            if not isinstance(value, str) and math.isfinite(value):
                before = self._means.get(name, float(value))
                self._means[name] = before + _NEWEST * (float(value) - before)
                self._seen[name] += 1
        beta, images = record.get("beta"), record.get("images", 0)
        if isinstance(beta, (int, float)) and isinstance(images, (int, float)):
            self._images = float(images)
            self._watch_beta(float(beta))
        return self._advice()

    def _watch_beta(self, beta: float) -> None:
        if beta < 0.99 * self._lowest_beta:
            self._lowest_beta, self._images_at_lowest = beta, self._images

    def _mean(self, name: str) -> float:
        return self._means[name] if self._seen[name] >= _SETTLED else 0.0

    def _advice(self) -> str:
        empty = self._mean("no_crossing")
        if empty > MOST_EMPTY:
            return (
                f"{empty:.0%} of the rays meet no zero crossing: the surface is gone. Start again "
                "from a sphere with a smaller minimal-surface weight or generator rate."
            )
        for prefix in ("", "image_"):
            gap = self._mean(f"{prefix}score_real") - self._mean(f"{prefix}score_fake")
            if gap > WON_GAP and self._mean(f"{prefix}g_adversarial") > WON_LOSS:
                return (
                    f"The discriminator has won (real and fake scores are {gap:.0f} apart): raise "
                    "R1, lower the discriminator's rate, or add images."
                )
        eikonal = self._mean("eikonal")
        if eikonal > MOST_EIKONAL:
            return (
                f"The field is far from a distance: (‖∇d‖ − 1)² is {eikonal:.2g} on average and "
                "should be near 0. Raise the eikonal weight or lower the generator's rate."
            )
        patience = self._images - self._images_at_lowest
        if GOOD_BETA < self._lowest_beta < math.inf and patience >= BETA_PATIENCE:
            return (
                f"β has not fallen for {patience / 1000:.0f}k images (lowest "
                f"{self._lowest_beta:.2g}, good below {GOOD_BETA:g}): raise R1 or, to a lesser "
                "degree, lower the minimal-surface weight."
            )
        return ""
