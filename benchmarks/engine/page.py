"""Write the JSON, the page and the plots from the newest results of every case, of this run or of earlier ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import plots
from benchmarks.common.report import Result, write
from benchmarks.engine.speeds import CaseResult, dtype, faster, items_s, kind
from benchmarks.engine.tables import findings, tables

NAME = "engine"
BASE = "hf-padded"
SPEEDS = {"pruned-summary": f"{NAME}.png", "tiny-summary": f"{NAME}-tiny.png"}
"""Cases with a plot of all contenders in all dtypes, and the plot's file."""


def read(folder: Path) -> dict[str, Any]:
    """The results written so far, by case."""
    path = folder / f"{NAME}.json"
    found: dict[str, Any] = json.loads(path.read_text())["cases"] if path.is_file() else {}
    return found


def publish(
    folder: Path,
    cases: Mapping[str, CaseResult],
    settings: Mapping[str, object],
    conditions: Mapping[str, object],
) -> None:
    """Write JSON, page and plots."""
    result = Result(
        name=NAME,
        title="The scoring engine beside its peers",
        settings=settings,
        tables=tables(cases),
        findings=findings(cases),
        plots=_plots(folder, cases),
        detail={"cases": cases},
    )
    write(result, folder, conditions)


def _plots(folder: Path, cases: Mapping[str, CaseResult]) -> list[str]:
    closed = {name: case for name, case in cases.items() if case["kind"] == "closed" and case["seconds"]}
    names = []
    for name in [name for name in SPEEDS if name in closed]:
        names.append(SPEEDS[name])
        plots.bars(folder / names[-1], closed[name]["title"], "items/s", _speeds(closed[name]))
    if relative := _relative(closed):
        names.append(f"{NAME}-cases.png")
        unit = f"times the best {BASE} batch; each contender in its best dtype"
        plots.bars(folder / names[-1], "Closed loop, all cases", unit, relative)
    for name, case in cases.items():
        if case["kind"] == "open" and (lines := _curves(case)):
            names.append(f"{NAME}-{name}.png")
            plots.lines(
                folder / names[-1], case["title"], "requests/s", "p95, s (cut at twice the bound)", lines
            )
    return names


def _speeds(case: CaseResult) -> dict[str, dict[str, dict[str, float]]]:
    """Spread by dtype and contender; the contender with the fastest dtype comes first."""
    ordered = sorted(case["seconds"], key=lambda name: -items_s(case, name))
    places = list(dict.fromkeys(map(kind, ordered)))
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for name in sorted(ordered, key=lambda name: places.index(kind(name))):
        seconds, items = case["seconds"][name], case["items"]
        groups.setdefault(dtype(name), {})[kind(name)] = {
            "median": items_s(case, name),
            "low": items / max(seconds),
            "high": items / min(seconds),
        }
    return groups


def _relative(closed: Mapping[str, CaseResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Speed as a multiple of the base's, by contender and case."""
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for name, case in closed.items():
        fastest: dict[str, str] = {}
        for contender in sorted(case["seconds"], key=lambda contender: items_s(case, contender)):
            fastest[kind(contender)] = contender
        for what in (BASE, "vllm", "sglang", "llamacpp", "ours", "ours-torch", "ours-multi-item"):
            if what in fastest and BASE in fastest:
                found = faster(case, fastest[what], fastest[BASE])
                groups.setdefault(what, {})[name] = {
                    "median": found.median,
                    "low": found.low,
                    "high": found.high,
                }
    return groups


def _curves(case: CaseResult) -> dict[str, plots.Line]:
    most = 2 * case["bound_s"]
    curves: dict[str, plots.Line] = {}
    for name, found in case["servers"].items():
        points = sorted((probe["rate"], min(most, probe["p95_s"])) for probe in found["tried"])
        if points:
            curves[name] = ([x for x, _ in points], [y for _, y in points])
    return curves
