"""Statistics of the result tables: pure functions."""

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile `share` by nearest rank; raises ValueError without a value."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest value; raises ValueError without a value."""
    if not values:
        raise ValueError("no values")
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def rate(count: int, first_ms: int, last_ms: int) -> float:
    """Records a second between the first and the last of `count`; raises ValueError when no time passed."""
    if last_ms <= first_ms:
        raise ValueError(f"{count} records within a millisecond: run more of them")
    return 1000 * (count - 1) / (last_ms - first_ms)


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Slope of y over x by least squares; raises ValueError for fewer than two different xs."""
    return statistics.linear_regression(xs, ys).slope if len(set(xs)) > 1 else _too_few()


def _too_few() -> float:
    raise ValueError("a slope needs two different points")
