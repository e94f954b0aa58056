"""Tables and findings of the page, from the results of each case in the JSON: pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.common.report import Row
from benchmarks.engine.paired import ratio
from benchmarks.engine.speeds import (
    DTYPE_NAMES,
    CaseResult,
    best,
    dtype,
    expected_gain,
    faster,
    is_ours,
    items_s,
    kind,
    share,
)

Tables = dict[str, list[Row]]


def tables(cases: Mapping[str, CaseResult]) -> Tables:
    """A table for each case with results, then the peaks, absent contenders, versions and runs."""
    builders = {"closed": _closed, "gain": _gain, "open": _open, "tokenization": _tokenization}
    found: Tables = {case["title"]: builders[case["kind"]](case) for case in cases.values()}
    found["Matrix-multiply peak, 2000 x 1024 x 3072, GFLOP/s"] = _peaks(cases)
    found["Not measured"] = [
        {"case": name, "contender": contender, "why": why}
        for name, case in cases.items()
        for contender, why in case.get("absent", {}).items()
    ]
    found["Versions"] = _versions(cases)
    found["Each case's run"] = [
        {"case": name, **{key: case["run"][key] for key in ("commit", "date", "load_before", "command")}}
        for name, case in cases.items()
    ]
    return {title: rows for title, rows in found.items() if rows}


def findings(cases: Mapping[str, CaseResult]) -> list[str]:
    """A line for each dtype of this project's engine in each closed-loop case."""
    return [
        line
        for name, case in cases.items()
        if case["kind"] == "closed"
        for line in _closed_findings(name, case)
    ]


def _closed_findings(name: str, case: CaseResult) -> Iterator[str]:
    for one in DTYPE_NAMES:
        ours = best(case, ours=True, of_dtype=one)
        if not ours:
            continue
        parts = [f"{items_s(case, ours):,.3g} items/s"]
        rivals = (f"hf-padded:{one}", best(case, ours=False, of_dtype=one), best(case, ours=False))
        parts += [
            f"{faster(case, ours, rival)} × {rival}"
            for rival in dict.fromkeys(rivals)
            if rival and rival in case["seconds"]
        ]
        reached = share(case, ours)
        parts += [f"{reached:.0%} of the peak"] if reached else []
        yield f"{name}, {ours}: {', '.join(parts)}."


def _closed(case: CaseResult) -> list[Row]:
    names = sorted(case["seconds"], key=lambda name: -items_s(case, name))
    return [_closed_row(case, name) for name in names]


def _closed_row(case: CaseResult, name: str) -> Row:
    same, any_dtype = best(case, ours=True, of_dtype=dtype(name)), best(case, ours=True)
    seconds = case["seconds"][name]
    return {
        "contender": kind(name),
        "dtype": dtype(name),
        "items/s": items_s(case, name),
        "lowest": case["items"] / max(seconds),
        "highest": case["items"] / min(seconds),
        "rounds": len(seconds),
        "ours in that dtype is": _times(case, same, name),
        "our fastest is": _times(case, any_dtype, name),
        "of the peak": _percent(share(case, name)),
        "the same, last layer for last tokens": _percent(share(case, name, "operations_last_tokens")),
        "max difference of p": _small(case["differences"].get(name)),
    }


def _times(case: CaseResult, ours: str | None, name: str) -> str:
    return f"{faster(case, ours, name)} ×" if ours and not is_ours(name) else "–"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _small(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


def _gain(case: CaseResult) -> list[Row]:
    load = case["load"]
    endless, here = expected_gain(load["shared"], load["own"][0], len(load["own"]))
    return [
        {
            "dtype": dtype(name),
            "shared, items/s": items_s(case, name),
            "not shared": items_s(case, f"ours-unshared:{dtype(name)}"),
            "gain": str(faster(case, name, f"ours-unshared:{dtype(name)}")),
            "1 + N_q/N_i": endless,
            "with so many items": here,
        }
        for name in case["seconds"]
        if kind(name) == "ours" and f"ours-unshared:{dtype(name)}" in case["seconds"]
    ]


def _open(case: CaseResult) -> list[Row]:
    return [
        {
            "server": kind(name),
            "dtype": dtype(name),
            "one request alone, ms": 1000 * found["alone_s"],
            "requests/s": found["rate"],
            "items/s": found["items_s"],
            "p95 there, ms": 1000 * _p95(found),
            "rates tried": len(found["tried"]),
        }
        for name, found in case["servers"].items()
    ]


def _p95(found: Mapping[str, Any]) -> float:
    held: list[float] = [probe["p95_s"] for probe in found["tried"] if probe["rate"] == found["rate"]]
    return min(held, default=found["alone_s"])


def _tokenization(case: CaseResult) -> list[Row]:
    return [
        {
            "texts": int(count),
            "one by one, ms": 1000 * statistics.median(ways["apart"]),
            "in one call, ms": 1000 * statistics.median(ways["together"]),
            "gain": str(ratio(ways["apart"], ways["together"])),
            "threads": case["threads"],
            "goal": 0.8 * min(8, case["threads"]) if count == "8" else "–",
        }
        for count, ways in case["seconds"].items()
    ]


def _peaks(cases: Mapping[str, CaseResult]) -> list[Row]:
    measured = {name: case["peak"] for name, case in cases.items() if case.get("peak")}
    routines = dict.fromkeys(routine for peak in measured.values() for routine in peak)
    return [
        {
            "case": name,
            **{routine: round(peak[routine] / 1e9) if routine in peak else "–" for routine in routines},
        }
        for name, peak in measured.items()
    ]


def _versions(cases: Mapping[str, CaseResult]) -> list[Row]:
    said = {kind(name): note for case in cases.values() for name, note in case.get("versions", {}).items()}
    return [{"contender": name, "versions": note} for name, note in said.items()]
