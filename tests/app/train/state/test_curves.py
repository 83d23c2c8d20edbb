"""Curves of a run: grouping, smoothing, and thinning out for a plot."""

from __future__ import annotations

import numpy as np
import pytest

from app.train.state.curves import DRAWN, GROUPS, Curves, group_of, smoothed, thinned


def test_smoothing_is_the_corrected_average_of_its_definition() -> None:
    values = np.random.default_rng(0).standard_normal(300)
    for a in (0.3, 0.9, 0.99):
        for n in (0, 1, 7, 299):
            weights = a ** np.arange(n + 1)
            expected = (weights * values[n::-1]).sum() / weights.sum()
            assert smoothed(values, a)[n] == pytest.approx(expected, rel=1e-9)
    assert smoothed(values, 0.0) is values
    constant = np.full(50, 3.0)
    assert smoothed(constant, 0.9) == pytest.approx(constant), "no pull towards zero at the start"


def test_thinning_keeps_spikes_and_ends() -> None:
    curve = np.zeros(100_003)
    curve[70_001], curve[100_001] = 5.0, -4.0
    drawn = thinned(curve)
    assert len(drawn) <= 2 * (DRAWN + 2)
    assert {0, 70_001, 100_001, 100_002} <= set(drawn.tolist())
    assert (np.diff(drawn) > 0).all()
    assert len(thinned(curve[:50])) == 50


def test_every_recorded_figure_has_a_group() -> None:
    names = {
        "d_logistic": "losses", "eikonal": "losses", "beta": "β", "image_score_fake": "scores",
        "swd": "distance", "frechet": "distance", "psnr_thumb": "quality", "iou": "quality",
        "images_per_second": "speed", "no_crossing": "surface",
        "image_augment_p": "augmentation", "real_score_sign": "augmentation",
        "g_gradient_norm": "gradients", "step": "", "eta_hours": "", "something_new": "losses",
    }  # fmt: skip
    assert {name: group_of(name) for name in names} == names
    assert set(names.values()) - {""} == set(GROUPS)


def test_curves_grow_and_leave_out_values_that_are_not_finite() -> None:
    curves = Curves()
    curves.append({"step": step, "beta": 0.1 / (step + 1), "phase": "a"} for step in range(400))
    (before,) = curves.lines("β", 0.5)
    curves.append([{"step": 400, "beta": float("nan")}, {"step": 401, "beta": 7.0, "swd": 3.0}])
    (after,) = curves.lines("β", 0.5)
    assert (len(before.steps), len(after.steps)) == (400, 401)
    assert curves.groups == ("β", "distance")
    assert after.at(1e9) == (401, 7.0)
    assert after.at(-5.0) == (0, 0.1)
    assert after.at(200.4)[0] == 200
