"""Figures that the paper publishes, at 256², by its own protocol (Or-El et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """A method's figures for FFHQ and AFHQ; lower is better.

    Attributes:
        fid, kid: FID and KID·10³ at 256².
        depth: modified Chamfer distance in sample bins; None where none is published.
    """

    method: str
    fid: tuple[float, float]
    kid: tuple[float, float]
    depth: tuple[float, float] | None = None


PUBLISHED = (
    PublishedRow("HoloGAN", (90.9, 95.6), (75.5, 77.5)),
    PublishedRow("GRAF", (79.2, 129.5), (55.0, 85.1)),
    PublishedRow("π-GAN", (83.0, 52.4), (85.8, 30.7), (11.04, 8.66)),
    PublishedRow("GIRAFFE", (31.2, 33.5), (20.1, 15.1)),
    PublishedRow("StyleSDF", (11.5, 12.8), (2.65, 4.47), (0.40, 0.63)),
)
#: What stands above these rows wherever they are shown.
PROTOCOL = "published, 256², their protocol"
