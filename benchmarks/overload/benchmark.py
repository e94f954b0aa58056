"""`python -m benchmarks overload`: bursts, mixed traffic and a day's peak through our controls and others.

Requests, controls and servers meet in virtual time; the controls are the production objects, the servers have the speed
that the model server was measured with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import plots
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.settings import OverloadBenchmark
from benchmarks.overload.contenders import CONTENDERS, OURS, Choice, Contender, chosen
from benchmarks.overload.controls import Control, NoControl
from benchmarks.overload.requests import BOUND_S, WANTED, a_day, bursts, mixed
from benchmarks.overload.run import Outcome, figures, run
from benchmarks.overload.servers import Speed, measured

NAME = "overload"
PLOT_DEPTH, PLOT_LATENCY = "overload-depth.png", "overload-latency.png"
TUNING_SEEDS = (1, 2, 3)
#: What waits at the end of a mixed trace is answered within so many seconds, or the load counts as too much.
ALERT_BOUND_S = 60.0
LOADS = tuple(n / 100 for n in range(30, 101, 2))
GAIN = 1.25


def measure(settings: OverloadBenchmark, folder: Path = FOLDER) -> Result:
    """Choose settings on some traces, measure on others, and write the results into `folder`."""
    where, speed = measured_on(), measured(FOLDER)
    seeds = range(100, 100 + settings.seeds)
    choices = {one.name: chosen(one, speed, settings.workers, TUNING_SEEDS) for one in CONTENDERS}
    say(f"chosen: {choices}")
    outcomes = {
        one.name: _bursts(one, choices[one.name], speed, settings.workers, seeds) for one in CONTENDERS
    }
    make = {one.name: one for one in CONTENDERS}[OURS].make
    loads = _at_the_bound(lambda: make(choices[OURS]), speed, settings.workers, seeds)
    days = _days(lambda: make(choices[OURS]), speed, settings.workers, seeds)
    tables: dict[str, Sequence[Row]] = {
        "Bursts: 2 × capacity for 30 s, 3 × for 10 s": [
            {"control": name, "settings": _shown(choices[name]), **figures(found)}
            for name, found in outcomes.items()
        ],
        "Most candidates a second within the bound": [row for row, _ in loads],
        "A day's peak": [_day(name, found) for name, found in days.items()],
    }
    if settings.queries:
        from benchmarks.overload import ranking  # torch is loaded for this alone

        judged = ranking.pools(settings.queries, settings.postings)
        tables["What depth costs in ranking"] = ranking.costs(judged, Path(settings.ranker), settings.threads)
    _plot(folder, outcomes, days)
    result = Result(
        name=NAME,
        title="Overload: bursts, mixed traffic and a day's peak",
        settings=asdict(settings) | {"items_per_s": round(settings.workers * speed.items_per_s)},
        tables=tables,
        findings=_findings(outcomes, [per_s for _, per_s in loads], days, tables),
        plots=[PLOT_DEPTH, PLOT_LATENCY],
    )
    write(result, folder, where)
    return result


def _bursts(
    contender: Contender, choice: Choice, speed: Speed, workers: int, seeds: Sequence[int]
) -> list[Outcome]:
    capacity = workers * speed.items_per_s
    found = [run(bursts(capacity, seed), contender.make(choice), speed, workers, seed) for seed in seeds]
    say(f"{contender.name}: {figures(found)}")
    return found


def _at_the_bound(
    make: Callable[[], Control], speed: Speed, workers: int, seeds: Sequence[int]
) -> list[tuple[Row, float]]:
    """For no control, and for ours without a depth: the highest load of which every trace keeps the bounds."""
    found = []
    for name, control in (("no control", NoControl), ("ours, shaped", make)):
        best: tuple[Row, float] = (
            {"control": name, "load": "none", "candidates/s": 0, "online p95, ms": 0},
            0.0,
        )
        for load in LOADS:
            capacity = workers * speed.items_per_s
            runs = [run(mixed(capacity, load, seed), control(), speed, workers, seed) for seed in seeds]
            p95_s, per_s = max(one.p95_s() for one in runs), sum(one.per_s() for one in runs) / len(runs)
            if p95_s > BOUND_S or max(one.late_s() for one in runs) > ALERT_BOUND_S:
                break
            if max(one.shed() for one in runs) > 0.001:
                break
            row = {"control": name, "load": f"{load:.0%}", "candidates/s": round(per_s)}
            best = ({**row, "online p95, ms": round(1000 * p95_s)}, per_s)
        found.append(best)
    return found


def _days(
    make: Callable[[], Control], speed: Speed, workers: int, seeds: Sequence[int]
) -> dict[str, list[Outcome]]:
    capacity = workers * speed.items_per_s
    return {
        name: [run(a_day(capacity, seed), control(), speed, workers, seed) for seed in seeds]
        for name, control in (("no control", NoControl), (OURS, make))
    }


def _day(name: str, found: Sequence[Outcome]) -> dict[str, Any]:
    (begin, end), seconds = found[0].trace.bursts[0], found[0].trace.seconds
    peak = sum(one.mean_depth(begin, end) for one in found) / len(found)
    calm = sum(one.mean_depth(0.0, seconds / 8) for one in found) / len(found)
    return {
        "control": name,
        "depth off peak": round(calm, 1),
        "depth at the peak": round(peak, 1),
        "work a request at the peak": f"{peak / WANTED - 1:+.0%}",
        "online p95 at the peak, ms": round(1000 * max(one.p95_s(begin, end) for one in found)),
        "online shed": f"{max(one.shed() for one in found):.1%}",
    }


def _shown(choice: Choice) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in choice.items()) or "–"


def _plot(
    folder: Path, outcomes: Mapping[str, Sequence[Outcome]], days: Mapping[str, Sequence[Outcome]]
) -> None:
    first = outcomes[OURS][0]
    depths = {"bursts": ([at for at, _, _ in first.looks], [float(depth) for _, depth, _ in first.looks])}
    day = days[OURS][0]
    depths["a day's peak"] = ([at for at, _, _ in day.looks], [float(depth) for _, depth, _ in day.looks])
    plots.lines(folder / PLOT_DEPTH, "Depth of online requests, ours", "seconds", "candidates", depths)
    series = {
        name: _p95s(found[0]) for name, found in outcomes.items() if name in ("CoDel", "AIMD, refusing", OURS)
    }
    plots.lines(folder / PLOT_LATENCY, "Online p95 of each 5 s in bursts", "seconds", "ms", series)


def _p95s(outcome: Outcome) -> tuple[list[float], list[float]]:
    times = [5.0 * n for n in range(int(outcome.trace.seconds / 5))]
    return times, [1000 * outcome.p95_s(at, at + 5.0) for at in times]


def _findings(
    outcomes: Mapping[str, Sequence[Outcome]],
    per_s: Sequence[float],
    days: Mapping[str, Sequence[Outcome]],
    tables: Mapping[str, Sequence[Row]],
) -> list[str]:
    ours = figures(outcomes[OURS])
    best = min(
        (found for name, found in outcomes.items() if not name.startswith("ours")),
        key=lambda found: (
            max(one.worst_p95_s() for one in found) > BOUND_S,
            max(one.shed() for one in found),
        ),
    )
    day = _day(OURS, days[OURS])
    gain = per_s[1] / per_s[0] if per_s[0] else float("inf")
    found = [
        f"Bursts: worst online p95 of 5 s {ours['worst online p95 of 5 s, ms']} ms (goal 500), goodput {ours['goodput']} "
        f"of capacity (goal 95%), depth back after {ours['depth back, s']} s (goal 60), {ours['alerts lost']} alerts lost "
        f"(goal 0), {ours['online shed']} of online requests shed; the best of the others within the bound sheds "
        f"{max(one.shed() for one in best):.1%}",
        f"At the bound shaping brings {per_s[1]:,.0f} candidates/s against {per_s[0]:,.0f} without: "
        f"{gain:.2f} × (goal {GAIN}; published 1.25)",
        f"At the peak the depth is {day['depth at the peak']:.0f} of 250, {day['work a request at the peak']} work "
        "(published 131, -48%)",
    ]
    for row in tables.get("What depth costs in ranking", ()):
        if row["depth"] == 131:
            found.append(
                f"Depth 131 instead of 250 changes NDCG@10 by {row['difference']}, on generated postings"
            )
    return found
