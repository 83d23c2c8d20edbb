"""The engine's inner loops on a CPU, compiled by Numba where it is installed.

Each loop has a twin in plain torch (``field/baked_field.py``, ``march/ray_march.py``), which
defines the result and runs without Numba and on other devices. A loop is here only if measurements
showed a gain: torch's sine takes four times as long as this file's sine, and a loop over samples
can leave a ray at its first opaque sample.

:mod:`.compiled_loops` does without this module where it cannot be imported.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stylesdf_core.engine.compiled.disk_cache import compiled

# sin x = ±sin(x − kπ): Cody and Waite's three-part π keeps x − kπ exact to a few ulp up to
# |x| ≈ 10⁴, then a minimax polynomial on [−π/2, π/2]. Largest error 2e-7, at tens of radians.
_INVERSE_PI = np.float32(1.0 / math.pi)
_PI_1 = np.float32(3.140625)
_PI_2 = np.float32(0.0009670257568359375)
_PI_3 = np.float32(6.2771141529083251953e-07)
_S3 = np.float32(-0.1666665668)
_S5 = np.float32(0.8333025139e-2)
_S7 = np.float32(-0.1980741872e-3)
_S9 = np.float32(0.2601903036e-5)
#: Adding and subtracting this number rounds a float32 below 2²² to an integer.
_ROUNDER = np.float32(12582912.0)

#: No reassociation: it would cancel the rounding trick and the three-part subtraction.
EXACT = {"fastmath": {"nsz", "nnan", "ninf", "contract"}}


@compiled(inline="always", **EXACT)
def sine(v: Any) -> Any:
    """sin v, float32; the largest error is 2e-7."""
    k = np.float32(v * _INVERSE_PI + _ROUNDER) - _ROUNDER
    r = v - k * _PI_1
    r = r - k * _PI_2
    r = r - k * _PI_3
    s = r * r
    p = ((_S9 * s + _S7) * s + _S5) * s + _S3
    return (r + r * s * p) * np.float32(1 - 2 * (np.int32(k) & 1))


@compiled(**EXACT)
def sine_of_sum(x: Any, bias: Any) -> None:
    """x ← sin(x + bias) in place, for x (N, C) and bias (C,), float32, contiguous."""
    for row in range(x.shape[0]):
        values = x[row]
        for i in range(values.size):
            values[i] = sine(values[i] + bias[i])


@compiled(**EXACT)
def sine_of_sum_by_row(x: Any, biases: Any, index: Any) -> None:
    """x ← sin(x + biases[index]) in place, for x (N, C), biases (R, C) and index (N,) int64."""
    for row in range(x.shape[0]):
        values = x[row]
        bias = biases[index[row]]
        for i in range(values.size):
            values[i] = sine(values[i] + bias[i])


@compiled()
def bound_depths(
    grid: Any,
    nearest: Any,
    radius: float,
    t_vals: Any,
    beta: float,
    visible: float,
    origins: Any,
    directions: Any,
    spacing: Any,
    inside: Any,
    upper: Any,
    lower: Any,
    selected: Any,
) -> Any:
    """Bounds of the optical depths of R rays of N samples, as ``RayMarch._bound_depths``.

    Bounds that cannot change the picture stay 0: the bounds of samples behind the first opaque
    sample and of the last sample, and ``lower`` of samples whose α is below ``visible``. In cells
    far from the surface nothing is interpolated, since no sample's α can reach ``visible`` there.

    Args:
        grid: (G, G, G, 2) float32, indexed x, y, z: a distance, and its largest possible error.
        nearest: (G−1, G−1, G−1) float32, least possible distance in each cell.
        radius: half the grid's edge, world units.
        t_vals: (N,) float32.
        beta: β of Eq. 3.
        visible: weight below which a sample is left out.
        origins, directions: (R, 3) float32.
        spacing: (R,) float32, world length between samples.
        inside: (R, N) bool, samples in the trained volume, the others are empty; (0, 0) for all.
        upper, lower: (R, N) float32 zeros; the bounds are written here.
        selected: (R, N) bool zeros; True is written for samples to evaluate.

    Returns:
        The number of selected samples.
    """
    last, size, count = t_vals.size - 1, grid.shape[0], 0
    clips = inside.size > 0
    scale, end = np.float32((size - 1) / (2.0 * radius)), np.float32(size - 1)
    half, one, inverse_beta = np.float32(0.5 * (size - 1)), np.float32(1.0), np.float32(1.0 / beta)
    for ray in range(origins.shape[0]):
        x0, y0, z0 = origins[ray, 0] * scale, origins[ray, 1] * scale, origins[ray, 2] * scale
        dx, dy, dz = (
            directions[ray, 0] * scale,
            directions[ray, 1] * scale,
            directions[ray, 2] * scale,
        )
        depth = spacing[ray] * inverse_beta
        # σδ < depth·exp(−d/β), and α < σδ; half of the threshold leaves room for rounding.
        dark: Any = np.float32(beta * math.log(depth / (0.5 * visible)))
        expected, brightest = 1.0, 1.0  # transmittance: by the interpolated distance; upper bound
        for sample in range(last):
            if clips and not inside[ray, sample]:
                continue
            t = t_vals[sample]
            x, y, z = x0 + dx * t + half, y0 + dy * t + half, z0 + dz * t + half
            # Written so that NaN counts as outside: no index is made of it.
            if not (0.0 <= x <= end and 0.0 <= y <= end and 0.0 <= z <= end):
                upper[ray, sample] = np.inf
                if expected > visible:
                    selected[ray, sample] = True
                    count += 1
                continue
            i, j, k = min(int(x), size - 2), min(int(y), size - 2), min(int(z), size - 2)
            if nearest[i, j, k] > dark:
                continue
            u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            distance, reach = np.float32(0.0), np.float32(0.0)
            for di in range(2):
                wi = u if di else one - u
                for dj in range(2):
                    wij = wi * (v if dj else one - v)
                    corner = grid[i + di, j + dj]
                    near, far = wij * (one - w), wij * w
                    distance += near * corner[k, 0] + far * corner[k + 1, 0]
                    reach += near * corner[k, 1] + far * corner[k + 1, 1]
            closest = (distance - reach) * inverse_beta
            if closest > 40.0:  # e⁻⁴⁰: no density for any spacing
                continue
            deepest = depth / (1.0 + math.exp(closest))
            upper[ray, sample] = deepest
            alpha = 1.0 - math.exp(-deepest)
            if alpha <= visible:
                continue
            if expected * alpha > visible:
                selected[ray, sample] = True
                count += 1
            farthest: Any = min((distance + reach) * inverse_beta, 80.0)
            lower[ray, sample] = depth / (1.0 + math.exp(farthest))
            middle: Any = min(distance * inverse_beta, 80.0)
            expected *= math.exp(-depth / (1.0 + math.exp(middle)))
            brightest *= math.exp(-lower[ray, sample])
            if brightest < visible:
                break
        if expected > visible and not (clips and not inside[ray, last]):
            selected[ray, last] = True
            count += 1
    return count


@compiled()
def list_selected(
    selected: Any, t_vals: Any, origins: Any, directions: Any, rays: Any, samples: Any, points: Any
) -> None:
    """Write rays and indices, (M,) int64, and world points, (M, 3) float32, of selected samples."""
    row = 0
    for ray in range(selected.shape[0]):
        for sample in range(selected.shape[1]):
            if selected[ray, sample]:
                rays[row], samples[row] = ray, sample
                for axis in range(3):
                    points[row, axis] = origins[ray, axis] + directions[ray, axis] * t_vals[sample]
                row += 1


@compiled()
def record_evaluated(
    scalar: Any,
    rays: Any,
    samples: Any,
    spacing: Any,
    beta: float,
    visible: float,
    upper: Any,
    depths: Any,
    evaluated: Any,
    selected: Any,
) -> Any:
    """Enter the distances of M evaluated samples, and select samples that may still be visible.

    Args:
        scalar, rays, samples: (M,), signed distances, with their rays and indices along them.
        spacing, upper, selected: as in :func:`bound_depths`; ``selected`` is overwritten.
        depths: (R, N), optical depths of evaluated samples and lower bounds of the others.
        evaluated: (R, N) bool.

    Returns:
        The number of selected samples.
    """
    inverse_beta = 1.0 / beta
    for row in range(scalar.size):
        ray, sample = rays[row], samples[row]
        distance: Any = min(scalar[row] * inverse_beta, 80.0)
        depths[ray, sample] = spacing[ray] * inverse_beta / (1.0 + math.exp(distance))
        evaluated[ray, sample] = True
    count, last = 0, depths.shape[1] - 1
    for ray in range(depths.shape[0]):
        through = 1.0
        for sample in range(last + 1):
            selected[ray, sample] = False
            if through <= visible:
                continue
            if not evaluated[ray, sample]:
                alpha = 1.0  # of the last sample
                if sample < last:
                    # α is smaller but for rounding: most samples need no exponential function.
                    is_dark = upper[ray, sample] * through <= 0.5 * visible
                    alpha = 0.0 if is_dark else 1.0 - math.exp(-upper[ray, sample])
                if alpha * through > visible:
                    selected[ray, sample] = True
                    count += 1
            if depths[ray, sample] > 0.0:
                through *= math.exp(-depths[ray, sample])
    return count


@compiled()
def compute_weights(
    depths: Any,
    evaluated: Any,
    t_vals: Any,
    force_background: bool,
    weights: Any,
    background: Any,
    distance: Any,
) -> None:
    """Write weights (R, N) of evaluated samples, the background's weight (R,), depths (R,)."""
    last, gap = t_vals.size - 1, t_vals[1] - t_vals[0]
    for ray in range(depths.shape[0]):
        through, covered, total = 1.0, 0.0, 0.0
        for sample in range(last):
            weights[ray, sample] = 0.0
            if evaluated[ray, sample] and depths[ray, sample] > 0.0:
                passed = math.exp(-depths[ray, sample])
                weight = (1.0 - passed) * through
                weights[ray, sample] = weight
                covered += weight
                total += weight * t_vals[sample]
                through *= passed
        if force_background:
            weights[ray, last] = 1.0 - covered
        else:
            endless = depths[ray, last] / gap * 1e10 if evaluated[ray, last] else 0.0
            weights[ray, last] = (1.0 - math.exp(-endless)) * through
        background[ray] = weights[ray, last]
        distance[ray] = total / max(covered, 1e-6)


@compiled()
def select_visible(
    weights: Any, visible: float, rays: Any, samples: Any, rows: Any, seen: Any, shares: Any
) -> Any:
    """Write row, ray and weight of each visible sample of M evaluated ones; returns their count."""
    count = 0
    for row in range(rays.size):
        weight = weights[rays[row], samples[row]]
        if weight > visible:
            rows[count], seen[count], shares[count] = row, rays[row], weight
            count += 1
    return count


@compiled()
def accumulate(
    shares: Any, rays: Any, logits: Any, features: Any, rgb: Any, feature_sum: Any
) -> None:
    """Add weight · sigmoid(logits) and weight · features of each row to the row's ray.

    Args:
        shares, rays: (M,), weights and rays of the rows.
        logits: (M, 3), colours before the sigmoid.
        features: (M, C).
        rgb: (R, 3).
        feature_sum: (R, C), or (R, 0) to leave features out.
    """
    for row in range(shares.size):
        share, ray = shares[row], rays[row]
        for channel in range(3):
            rgb[ray, channel] += share / (1.0 + math.exp(-logits[row, channel]))
        own, total = features[row], feature_sum[ray]
        for channel in range(total.size):
            total[channel] += share * own[channel]


def call_all() -> None:
    """Call every loop once, on one ray: loads each loop's code, or compiles it.

    Raises:
        Exception: of any kind, where Numba does not fit this Python or NumPy.
    """
    x, bias, spacing = np.zeros((1, 1), np.float32), np.zeros(1, np.float32), np.ones(1, np.float32)
    rays, samples, rows = (np.zeros(1, np.int64) for _ in range(3))
    t_vals, grid = np.array([0.9, 1.1], np.float32), np.zeros((2, 2, 2, 2), np.float32)
    lines, points, logits, rgb = (np.zeros((1, 3), np.float32) for _ in range(4))
    upper, depths, weights = (np.zeros((1, 2), np.float32) for _ in range(3))
    selected, evaluated = (np.zeros((1, 2), np.bool_) for _ in range(2))
    sine_of_sum(x, bias)
    sine_of_sum_by_row(x, x.copy(), rays)
    bound_depths(
        grid, grid[1:, 1:, 1:, 0].copy(), 0.1, t_vals, 0.1, 0.1, lines, lines, spacing,
        np.empty((0, 0), np.bool_), upper, depths, selected,
    )  # fmt: skip
    selected[0] = True, False
    list_selected(selected, t_vals, lines, lines, rays, samples, points)
    record_evaluated(bias, rays, samples, spacing, 0.1, 0.1, upper, depths, evaluated, selected)
    compute_weights(depths, evaluated, t_vals, True, weights, bias, spacing)
    select_visible(weights, 0.1, rays, samples, rows, rays, spacing)
    accumulate(spacing, rays, logits, x, rgb, x.copy())
