"""Paired bootstrap over queries: intervals of means, and of the differences between systems on the same queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.components.arrays import Floats
from training.evaluation.settings import BootstrapConfig

CHUNK = 500
"""Resamples computed at a time: 3 MB of counts for 800 queries."""
ROWS = 500
"""Rows of which the resampled means are held at a time: 40 MB for 10,000 resamples."""
STATEMENT = (
    "Intervals: percentile bootstrap over queries, all systems on the same resamples. A difference whose interval "
    "excludes zero holds for these queries and this teacher; nothing is said about other judges or other pools."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over `queries` queries and the ends of its bootstrap interval; all nan without a query."""

    mean: float
    low: float
    high: float
    queries: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


def interval_json(interval: Interval) -> dict[str, Any]:
    """An interval as it stands in a report's JSON."""
    return {**asdict(interval), "excludes_zero": interval.excludes_zero}


def paired(values_SQ: Floats, config: BootstrapConfig) -> list[tuple[Interval, Interval]]:
    """For each system its mean and its mean difference to the first system.

    Queries without a value (nan) are left out.
    """
    found = intervals(np.concatenate([values_SQ, values_SQ - values_SQ[:1]]), config)
    return list(zip(found[: len(values_SQ)], found[len(values_SQ) :], strict=True))


def intervals(columns_CQ: Floats, config: BootstrapConfig) -> list[Interval]:
    """The mean of each row of values by query, such as differences of two systems, all on the same resamples."""
    found: list[Interval] = []
    for start in range(0, len(columns_CQ), ROWS):
        some_CQ = columns_CQ[start : start + ROWS]
        means_CR = resampled_means(some_CQ, config)
        found += [_interval(row, means, config) for row, means in zip(some_CQ, means_CR, strict=True)]
    return found


def resampled_means(values_CQ: Floats, config: BootstrapConfig) -> Floats:
    """Means [C, R] of each row over the same resampled queries; nan where a resample holds no value."""
    known_CQ = ~np.isnan(values_CQ)
    filled_CQ = np.where(known_CQ, values_CQ, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate(
            [(filled_CQ @ c.T) / (known_CQ @ c.T) for c in resamples(values_CQ.shape[1], config)], axis=1
        )


def resamples(queries: int, config: BootstrapConfig) -> Iterator[Floats]:
    """How often each query was drawn in each resample, as arrays [up to CHUNK, Q]."""
    rng = np.random.default_rng(config.seed)
    for start in range(0, config.resamples, CHUNK):
        rows = min(CHUNK, config.resamples - start)
        drawn = rng.integers(0, queries, (rows, queries)) + queries * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * queries).reshape(rows, queries).astype(np.float64)


def quantiles(means_R: Floats, config: BootstrapConfig) -> tuple[float, float]:
    """The two ends of the interval; nan when no resample holds a value."""
    known = means_R[~np.isnan(means_R)]
    if not len(known):
        return float("nan"), float("nan")
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)


def _interval(values_Q: Floats, means_R: Floats, config: BootstrapConfig) -> Interval:
    known = values_Q[~np.isnan(values_Q)]
    low, high = quantiles(means_R, config)
    mean = float(known.mean()) if len(known) else float("nan")
    return Interval(mean=mean, low=low, high=high, queries=len(known))


def bootstrap(
    groups: Sequence[object], figure: Callable[[list[int]], float], seed: int = 0, rounds: int = 1000
) -> tuple[float, float, float]:
    """A figure of all groups, and the 2.5% and 97.5% quantiles over resampled groups.

    `figure` computes it from indices into `groups`.
    """
    rng = np.random.default_rng(seed)
    whole = figure(list(range(len(groups))))
    drawn = [figure(rng.integers(0, len(groups), len(groups)).tolist()) for _ in range(rounds)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return whole, float(low), float(high)
