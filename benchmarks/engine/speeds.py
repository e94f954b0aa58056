"""Speeds, paired ratios and shares of the peak from the seconds of a closed loop: pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.engine.paired import Ratio, ratio

CaseResult = Mapping[str, Any]
DTYPE_NAMES = ("float32", "bfloat16", "int8")
FINER = {name: DTYPE_NAMES[: n + 1] for n, name in enumerate(DTYPE_NAMES)}


def kind(name: str) -> str:
    """The kind of a contender named `kind:dtype`."""
    return name.partition(":")[0]


def dtype(name: str) -> str:
    """The dtype of a contender named `kind:dtype`."""
    return name.partition(":")[2]


def is_ours(name: str) -> bool:
    """Whether the contender is this project's engine, in any mode."""
    return kind(name).startswith("ours")


def items_s(case: CaseResult, name: str) -> float:
    """Items a second in the median round."""
    seconds: list[float] = case["seconds"][name]
    return float(case["items"]) / statistics.median(seconds)


def faster(case: CaseResult, one: str, other: str) -> Ratio:
    """How many times as fast as `other` the contender `one` was, in the rounds of both."""
    theirs, its = case["seconds"][other], case["seconds"][one]
    rounds = min(len(theirs), len(its))
    return ratio(theirs[:rounds], its[:rounds])


def best(case: CaseResult, *, ours: bool, of_dtype: str = "") -> str | None:
    """The fastest contender of ours or of the peers, in one dtype or in any; None when there is none."""
    names = [
        name
        for name in case["seconds"]
        if is_ours(name) == ours and kind(name) != "ours-unshared" and of_dtype in {"", dtype(name)}
    ]
    return max(names, key=lambda name: items_s(case, name), default=None)


def finalists(seconds: Mapping[str, Sequence[float]]) -> list[str]:
    """The contenders of later rounds: in each dtype the fastest of ours, the padded batch and the two fastest peers."""
    ordered = sorted(seconds, key=lambda name: statistics.median(seconds[name]))
    ours = {dtype(name): name for name in reversed(ordered) if is_ours(name)}
    peers = [name for name in ordered if not is_ours(name) and not kind(name).startswith("hf-")]
    fastest = [
        name for one in {dtype(name) for name in peers} for name in [p for p in peers if dtype(p) == one][:2]
    ]
    kept = {*ours.values(), *fastest, *(name for name in ordered if kind(name).startswith("hf-padded"))}
    return [name for name in seconds if name in kept]


def peak(case: CaseResult, of_dtype: str) -> float | None:
    """Operations a second of the fastest routine of a dtype or a finer one (float32 can hold every bfloat16)."""
    allowed = FINER.get(of_dtype, ())
    return max((value for name, value in case["peak"].items() if name.split()[0] in allowed), default=None)


def share(case: CaseResult, name: str, counted: str = "operations") -> float | None:
    """The necessary operations a second in the median round, as a share of the dtype's peak."""
    highest = peak(case, dtype(name))
    return case[counted] / statistics.median(case["seconds"][name]) / highest if highest else None


def expected_gain(shared: int, own: int, items: int) -> tuple[float, float]:
    """The factor by which sharing raises the throughput: for infinitely many items (equation (7)), and for `items`."""
    return 1 + shared / own, items * (shared + own) / (shared + items * own)
