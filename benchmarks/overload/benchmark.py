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
from benchmarks.overload.contenders import CONTENDERS, OURS, SHAPING, Choice, Contender, chosen
from benchmarks.overload.controls import Control, NoControl
from benchmarks.overload.requests import BOUND_S, EVERY_S, WANTED, a_day, bursts, mixed
from benchmarks.overload.run import Outcome, figures, run
from benchmarks.overload.servers import Speed, measured

NAME = "overload"
PLOT_DEPTH, PLOT_LATENCY = "overload-depth.png", "overload-latency.png"
TUNING_SEEDS = (1, 2)
#: What waits at the end of a mixed trace is answered within so many seconds, or the load counts as too much.
ALERT_BOUND_S = 60.0
TOGETHER_S = (20.0, 10.0, 5.0, 2.0)
"""In how many of every 20 s the alerts of mixed traffic come."""


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
    shaped = {one.name: one for one in CONTENDERS}[SHAPING]
    loads = _at_the_bound(lambda: shaped.make(choices[OURS]), speed, settings.workers, seeds[:2])
    days = _days(lambda: make(choices[OURS]), speed, settings.workers, seeds)
    tables: dict[str, Sequence[Row]] = {
        "Bursts: 2 × capacity for 30 s, 3 × for 10 s": [
            {"control": name, "settings": _shown(choices[name]), **figures(found)}
            for name, found in outcomes.items()
        ],
        "Most candidates a second within the bound": loads,
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
        findings=_findings(outcomes, loads, days, tables),
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


def _at_the_bound(make: Callable[[], Control], speed: Speed, workers: int, seeds: Sequence[int]) -> list[Row]:
    """For alerts that come evenly or together: candidates a second at the highest load that keeps the bounds."""
    rows: list[Row] = []
    for on_s in TOGETHER_S:
        without = _most(NoControl, on_s, speed, workers, seeds)
        shaped = _most(make, on_s, speed, workers, seeds)
        rows.append(
            {
                "alerts come in": f"{on_s:g} s of {EVERY_S:g}",
                "without shaping": round(without),
                "with shaping": round(shaped),
                "ratio": round(shaped / without, 2) if without else "–",
            }
        )
        say(f"at the bound: {rows[-1]}")
    return rows


def _most(
    make: Callable[[], Control], on_s: float, speed: Speed, workers: int, seeds: Sequence[int]
) -> float:
    """Candidates a second, by halving the loads between one that keeps the bounds and one that does not."""
    low, high, best = 0.0, 1.0, 0.0
    while high - low > 0.01:
        load = (low + high) / 2
        capacity = workers * speed.items_per_s
        runs = [run(mixed(capacity, load, on_s, seed), make(), speed, workers, seed) for seed in seeds]
        late_s = max(one.late_s() for one in runs)
        if max(one.p95_of_all_s() for one in runs) <= BOUND_S and late_s <= ALERT_BOUND_S:
            low, best = load, sum(one.per_s() for one in runs) / len(runs)
        else:
            high = load
    return best


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
    loads: Sequence[Row],
    days: Mapping[str, Sequence[Outcome]],
    tables: Mapping[str, Sequence[Row]],
) -> list[str]:
    ours, day = figures(outcomes[OURS]), _day(OURS, days[OURS])
    shed = {
        name: max(one.shed() for one in found)
        for name, found in outcomes.items()
        if not name.startswith("ours") and max(one.worst_p95_s() for one in found) <= BOUND_S
    }
    others = f"; others within the bound shed {min(shed.values()):.1%} or more" if shed else ""
    bursts_found = (
        f"Bursts: worst online p95 of 5 s {ours['worst online p95 of 5 s, ms']} ms (goal 500), goodput "
        f"{ours['goodput']} of capacity (goal 95%), depth back after {ours['depth back, s']} s (goal 60), "
        f"{ours['alerts lost']} alerts lost (goal 0), {ours['online shed']} of online requests shed{others}"
    )
    ratios = ", ".join(f"{row['ratio']} × ({row['alerts come in']})" for row in loads)
    peak = (
        f"At the peak the depth is {day['depth at the peak']:.0f} of {WANTED}: {day['work a request at the peak']} work "
        "a request (published 131 of 250, -48%)"
    )
    ranking = [
        f"Depth 131 instead of 250 changes NDCG@10 by {row['difference']}, on generated postings"
        for row in tables.get("What depth costs in ranking", ())
        if row["depth"] == 131
    ]
    return [
        bursts_found,
        f"Shaping at the bound: {ratios} the candidates a second (goal 1.25)",
        peak,
        *ranking,
    ]
