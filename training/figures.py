"""AUC, Kendall's tau and bootstrap intervals, with ties and resampling by query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auc(scores_N: Floats, positive_N: npt.NDArray[np.bool_]) -> float:
    """Share of (positive, negative) pairs in the right order, ties half; nan without both kinds."""
    ups, downs = scores_N[positive_N], scores_N[~positive_N]
    if not len(ups) or not len(downs):
        return float("nan")
    ordered = np.sort(downs)
    below = np.searchsorted(ordered, ups, "left") + np.searchsorted(ordered, ups, "right")
    return float(below.mean() / (2 * len(downs)))


def kendall(a_N: Floats, b_N: Floats) -> float:
    """Kendall's tau-b; nan when either side is constant."""
    rows, columns = np.triu_indices(len(a_N), 1)
    da, db = np.sign(a_N[rows] - a_N[columns]), np.sign(b_N[rows] - b_N[columns])
    scale = np.sqrt((da != 0).sum() * (db != 0).sum())
    return float((da * db).sum() / scale) if scale else float("nan")


def bootstrap(
    groups: Sequence[object], figure: Callable[[list[int]], float], seed: int = 0, rounds: int = 1000
) -> tuple[float, float, float]:
    """(figure, 2.5%, 97.5%) over resampled groups; `figure` takes indices into `groups`."""
    rng = np.random.default_rng(seed)
    whole = figure(list(range(len(groups))))
    drawn = [figure(rng.integers(0, len(groups), len(groups)).tolist()) for _ in range(rounds)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return whole, float(low), float(high)
