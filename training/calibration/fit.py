"""Curves from logit differences to calibrated ones: a temperature and a bias (Platt), or isotonic regression."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.calibration import Knot
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.probabilities import sigmoid

STEPS = 50
GROUPS = 25
"""Groups of equal weight that isotonic regression starts from: fewer are coarse, more follow chance."""
BEYOND = 20.0
"""How far from the outermost groups an isotonic curve's outer knots lie, along the line that Platt's fit has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """N pairs: the model's own logit difference, whether the pair is relevant, and the pair's weight (1 on average)."""

    logits: Floats
    relevant: npt.NDArray[np.bool_]
    weights: Floats


def platt(pairs: Labelled) -> tuple[Knot, ...]:
    """The line scale x logit + bias of the least log-loss; ConfigError if it does not rise.

    The targets are Platt's: a little inside of 0 and 1, so that pairs that are told apart without a mistake have a fit.
    """
    up = pairs.weights[pairs.relevant].sum()
    down = pairs.weights.sum() - up
    target_N = np.where(pairs.relevant, (up + 1) / (up + 2), 1 / (down + 2))
    columns_N2 = np.stack([pairs.logits, np.ones_like(pairs.logits)], axis=1)
    line = np.array([0.0, np.log((up + 1) / (down + 1))])
    for _ in range(STEPS):
        p_N = sigmoid(columns_N2 @ line)
        gradient = columns_N2.T @ (pairs.weights * (p_N - target_N))
        curvature = (columns_N2.T * (pairs.weights * p_N * (1 - p_N))) @ columns_N2 + 1e-6 * np.eye(2)
        line = line - np.linalg.solve(curvature, gradient)
    scale, bias = map(float, line)
    if not (math.isfinite(scale) and scale > 0):
        raise ConfigError(
            f"relevant pairs do not have higher scores (scale {scale:.3f}): nothing to calibrate"
        )
    return (-1.0, bias - scale), (1.0, bias + scale)


def isotonic(pairs: Labelled) -> tuple[Knot, ...]:
    """Isotonic regression over groups of like logits, straight between them and along Platt's line beyond them."""
    (_, low_to), (_, high_to) = platt(pairs)
    scale = (high_to - low_to) / 2
    knots = _strict(_rising(_groups(pairs)))
    (first, first_to), (last, last_to) = knots[0], knots[-1]
    before = (first - BEYOND, first_to - BEYOND * scale)
    return before, *knots, (last + BEYOND, last_to + BEYOND * scale)


METHODS: dict[str, Callable[[Labelled], tuple[Knot, ...]]] = {"platt": platt, "isotonic": isotonic}


def _groups(pairs: Labelled) -> list[tuple[float, float, float]]:
    """(weight, weighted logit, weighted relevant) of groups by logit; equal logits stay together."""
    order = np.argsort(pairs.logits, kind="stable")
    logits, weights = pairs.logits[order], pairs.weights[order]
    place = np.minimum((np.cumsum(weights) / weights.sum() * GROUPS).astype(int), GROUPS - 1)
    place = place[np.searchsorted(logits, logits, "left")]
    columns = (weights, weights * logits, weights * pairs.relevant[order])
    sums = [np.bincount(place, column, GROUPS) for column in columns]
    return [(float(w), float(x), float(y)) for w, x, y in zip(*sums, strict=True) if w > 0]


def _rising(groups: Sequence[tuple[float, float, float]]) -> list[Knot]:
    """Pool groups until their shares rise (pool adjacent violators); each is a mean logit and its share's logit.

    Half a pair is added to both sides of a share, so that no group is certain.
    """
    held: list[tuple[float, float, float]] = []
    for group in groups:
        held.append(group)
        while len(held) > 1 and held[-2][2] / held[-2][0] >= held[-1][2] / held[-1][0]:
            right, left = held.pop(), held.pop()
            held.append((left[0] + right[0], left[1] + right[1], left[2] + right[2]))
    return [(x / w, math.log((y + 0.5) / (w - y + 0.5))) for w, x, y in held]


def _strict(knots: Sequence[Knot]) -> tuple[Knot, ...]:
    """Leave out each knot that does not lie above the one before it in both numbers."""
    kept: list[Knot] = []
    for knot in knots:
        if not kept or (knot[0] > kept[-1][0] and knot[1] > kept[-1][1]):
            kept.append(knot)
    return tuple(kept)
