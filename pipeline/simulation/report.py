"""The figures of a simulated run: what happened to each traffic class, to the cache and to the servers."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.simulation.outcomes import Tally, quantiles
from pipeline.simulation.series import Series
from schemas.traffic import TrafficClass

COLUMNS = ("arrived", "answered", "late", "shed", "failed", "deferred")
ITEMS = ("asked_items", "cut_items", "cached_items", "joined_items", "scored_items", "refused_items")
WHOLE = "all"
BUSY = "busy"
"""Series of the time in which engines compute, of all servers together; in the report their mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFigures:
    """What one server did: `busy_s` of its engine, the batches beyond the largest that was measured."""

    name: str
    busy_s: float
    batches: int
    jobs: int
    tokens: float
    extrapolated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A run's outcome; `seconds`: simulated time until the last request had ended."""

    seconds: float
    tallies: Mapping[TrafficClass, Tally]
    series: Series
    servers: Sequence[ServerFigures]
    counters: Mapping[str, float] = field(default_factory=dict)
    """What the cache and the controls counted themselves."""


def figures(results: Results) -> dict[str, Any]:
    """Return everything that a run showed, as JSON values."""
    return {
        "seconds": results.seconds,
        "classes": {
            traffic: _of_class(tally, results.seconds) for traffic, tally in _with_sum(results).items()
        },
        "servers": [
            {**asdict(one), "utilisation": one.busy_s / results.seconds if results.seconds else 0.0}
            for one in results.servers
        ],
        "counters": dict(results.counters),
        "series": {"step_s": results.series.step_s, **_series(results)},
    }


def _of_class(tally: Tally, seconds: float) -> dict[str, float]:
    kept = tally.asked_items - tally.cut_items
    return {
        **{name: getattr(tally, name) for name in (*COLUMNS, *ITEMS)},
        "hit_rate": tally.cached_items / kept if kept else 0.0,
        "goodput_per_s": tally.answered / seconds if seconds else 0.0,
        "in_time": tally.answered / tally.arrived if tally.arrived else 1.0,
        **{f"{name}_ms": 1000 * value for name, value in quantiles(tally.latencies_s).items()},
    }


def _with_sum(results: Results) -> dict[str, Tally]:
    """The classes, and their sum if there are several."""
    found = {traffic.label: tally for traffic, tally in results.tallies.items() if tally.arrived}
    if len(found) > 1:
        whole = Tally()
        for tally in found.values():
            for name in (*COLUMNS, *ITEMS):
                setattr(whole, name, getattr(whole, name) + getattr(tally, name))
            whole.latencies_s.extend(tally.latencies_s)
        found[WHOLE] = whole
    return found


def _series(results: Results) -> dict[str, list[float]]:
    made = dict(results.series.lines(results.seconds))
    if BUSY in made:
        made[BUSY] = [busy / len(results.servers) for busy in made[BUSY]]
    for traffic, tally in results.tallies.items():
        if tally.arrived:
            made[f"p95_ms {traffic.label}"] = _p95(tally, results.series.step_s, results.seconds)
    return made


def _p95(tally: Tally, step_s: float, end: float) -> list[float]:
    """95th percentile of the answers given in each step, in ms; 0 where none was."""
    steps: list[array[float]] = [array("d") for _ in range(int(end / step_s) + 1)]
    for at, latency_s in zip(tally.answered_at, tally.latencies_s, strict=True):
        steps[int(at / step_s)].append(latency_s)
    return [1000 * quantiles(values)["p95"] if values else 0.0 for values in steps]


def markdown(
    title: str, found: Mapping[str, Any], settings: Mapping[str, object], plots: Sequence[str] = ()
) -> str:
    """Return a page with the figures of a run."""
    shown = ("p50_ms", "p95_ms", "p99_ms", "in_time", "goodput_per_s")
    lines = [f"# {title}", "", f"{found['seconds']:,.0f} simulated seconds.", "", "## Requests", ""]
    lines += _table("class", (*COLUMNS, *shown), found["classes"])
    lines += ["", "## Candidates", "", *_table("class", (*ITEMS, "hit_rate"), found["classes"])]
    servers = {f"{n}: {one['name']}": one for n, one in enumerate(found["servers"], 1)}
    lines += ["", "## Servers", ""]
    lines += _table("server", ("utilisation", "batches", "jobs", "tokens", "extrapolated"), servers)
    lines += ["", "## Cache and controls", "", *_table("counter", ("value",), _as_rows(found["counters"]))]
    lines += [line for plot in plots for line in ("", f"![{plot}]({plot})")]
    lines += ["", "## Settings", "", *_table("setting", ("value",), _as_rows(settings))]
    return "\n".join(lines) + "\n"


def _as_rows(values: Mapping[str, object]) -> dict[str, dict[str, object]]:
    return {name: {"value": value} for name, value in values.items()}


def _table(first: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, object]]) -> list[str]:
    head = [first, *(name.replace("_", " ") for name in columns)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * len(columns)}"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_cell(row.get(column, '')) for column in columns)} |")
    return lines


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
