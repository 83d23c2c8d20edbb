"""The face that poses are measured against: where 51 of the 68 landmarks lie in space.

Measured on the shipped model `heads`: dlib's landmarks in the pictures of seeds 0 to 39 at ψ 0.7
and azimuths −0.2, 0 and 0.2 rad, back-projected by depth, averaged, and made symmetric. They vary
by 0.001 to 0.003 world units from seed to seed. The 17 landmarks of the jaw are left out: they
slide along the silhouette as the head turns.
"""

from __future__ import annotations

import numpy as np

#: World positions (51, 3) of the landmarks 17 to 67, in 1/10,000 world units.
_POSITIONS = (
    (-426, 252, 449), (-361, 313, 526), (-272, 337, 590), (-181, 330, 636), (-97, 295, 656),
    (97, 295, 656), (181, 330, 636), (272, 337, 590), (361, 313, 526), (426, 252, 449),
    (0, 149, 658), (0, 61, 711), (0, -24, 774), (0, -111, 829),
    (-101, -190, 685), (-53, -204, 710), (0, -218, 728), (53, -204, 710), (101, -190, 685),
    (-322, 119, 524), (-264, 149, 568), (-198, 144, 564),
    (-140, 105, 545), (-204, 86, 561), (-271, 88, 559),
    (140, 105, 545), (198, 144, 564), (264, 149, 568),
    (322, 119, 524), (271, 88, 559), (204, 86, 561),
    (-204, -378, 594), (-125, -338, 677), (-54, -318, 717), (0, -330, 726),
    (54, -318, 717), (125, -338, 677), (204, -378, 594),
    (130, -440, 652), (59, -464, 685), (0, -469, 690), (-59, -464, 685), (-130, -440, 652),
    (-170, -380, 613), (-56, -369, 692), (0, -372, 702), (56, -369, 692), (170, -380, 613),
    (57, -390, 690), (0, -397, 700), (-57, -390, 690),
)  # fmt: skip
#: Number of the first landmark in the table.
FIRST = 17
#: World positions (51, 3) of the landmarks from FIRST on.
POSITIONS = np.array(_POSITIONS, np.float64) * 1e-4
#: Landmarks of a pose: brows, nose and eyes. A smile moves the mouth as much as a nod does.
STEADY = np.arange(17, 48)
#: The eyes' corners and lids, and the corners of the mouth, the viewer's left first.
LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
MOUTH_CORNERS = (48, 54)
