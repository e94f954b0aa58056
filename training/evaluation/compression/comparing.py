"""Comparisons of ways to shorten texts on the same queries: paired differences with their intervals, and the cliff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from training.components.arrays import Floats
from training.evaluation.compression.measured import RAW, Measured
from training.evaluation.intervals import Interval, interval_json, intervals
from training.evaluation.settings import BootstrapConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Cliff:
    """Between which two lengths of one way to shorten NDCG@k falls most steeply.

    `saved_from`, `saved_to`: tokens taken away at the median; `change`: the paired change from the one to the other.
    """

    saved_from: float
    saved_to: float
    change: Interval


def pairs(found: Sequence[Measured], config: BootstrapConfig) -> list[dict[str, Any]]:
    """For each two ways the later minus the earlier one, in NDCG@k and in KL, with what each keeps of the tokens."""
    if len(found) < 2:
        return []
    both = [(one, other) for other, one in combinations(found, 2)]
    columns = [one.ndcg_Q - other.ndcg_Q for one, other in both]
    columns += [one.kl_Q - other.kl_Q for one, other in both]
    means = [interval_json(interval) for interval in intervals(np.stack(columns), config)]
    return [
        {
            "name": one.name,
            "minus": other.name,
            "kept": one.lengths.kept,
            "other_kept": other.lengths.kept,
            "ndcg": ndcg,
            "kl": kl,
        }
        for (one, other), ndcg, kl in zip(both, means[: len(both)], means[len(both) :], strict=True)
    ]


def compared(
    found: Sequence[Measured], beside: Sequence[str], config: BootstrapConfig
) -> list[dict[str, Any]]:
    """For each way its means, and its differences to raw text, to the first ranker's, and to the ways named `beside`.

    A way is compared with those of the same ranker and share; one that has another length whatever is asked stands in
    `found` for each share.
    """
    known = {(one.ranker, one.name, one.share): one for one in found}
    first = next(one for one in found if one.name == RAW)
    columns: list[Floats] = []
    places: list[dict[str, int]] = []
    for one in found:
        others = {
            f"minus {name}": known.get((one.ranker, name, one.share)) for name in beside if name != one.name
        }
        others |= {"minus_raw": known.get((one.ranker, RAW, 1.0)), "minus_dense": first}
        values = {"ndcg": one.ndcg_Q, "kl": one.kl_Q}
        values |= {key: one.ndcg_Q - other.ndcg_Q for key, other in others.items() if other is not None}
        places.append({key: len(columns) + at for at, key in enumerate(values)})
        columns += values.values()
    means = [interval_json(interval) for interval in intervals(np.stack(columns), config)]
    return [_row(one, place, means) for one, place in zip(found, places, strict=True)]


def _row(one: Measured, place: Mapping[str, int], means: Sequence[dict[str, Any]]) -> dict[str, Any]:
    row = one.as_json()
    per_query = {"ndcg": row.pop("ndcg"), "kl": row.pop("kl")}
    figures = {key: means[at] for key, at in place.items() if not key.startswith("minus ")}
    minus = {key.removeprefix("minus "): means[at] for key, at in place.items() if key.startswith("minus ")}
    return row | figures | {"minus": minus, "per_query": per_query}


def cliff(lengths: Sequence[Measured], config: BootstrapConfig) -> Cliff | None:
    """The steepest fall between neighbouring lengths, among those whose interval excludes 0; None without any.

    `lengths`: one way to shorten at several lengths, by one ranker.
    """
    steps = list(pairwise(sorted(lengths, key=lambda one: one.lengths.saved_p50)))
    if not steps:
        return None
    changes = intervals(np.stack([short.ndcg_Q - long.ndcg_Q for long, short in steps]), config)
    falls = [
        Cliff(saved_from=long.lengths.saved_p50, saved_to=short.lengths.saved_p50, change=change)
        for (long, short), change in zip(steps, changes, strict=True)
        if change.high < 0
    ]
    return min(falls, key=_slope, default=None)


def _slope(fall: Cliff) -> float:
    return fall.change.mean / max(1e-9, fall.saved_to - fall.saved_from)


def mean_over_seeds(name: str, found: Sequence[Measured]) -> Measured:
    """The mean of runs that differ in their seed alone, query by query, at one length and by one ranker."""
    lengths = [one.lengths for one in found]
    return Measured(
        ranker=found[0].ranker,
        name=name,
        share=found[0].share,
        ndcg_Q=np.mean([one.ndcg_Q for one in found], axis=0),
        kl_Q=np.mean([one.kl_Q for one in found], axis=0),
        lengths=type(lengths[0])(
            **{
                part: float(np.mean([getattr(one, part) for one in lengths]))
                for part in ("saved_p50", "saved_p99", "kept")
            }
        ),
    )
