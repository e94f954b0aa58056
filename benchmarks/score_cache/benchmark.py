"""`python -m benchmarks score-cache`: engine calls and waiting readers of the score cache, beside simpler caches."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.common import plots
from benchmarks.common.broker import BUILD
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.settings import ScoreCacheBenchmark
from benchmarks.score_cache.contenders import OURS
from benchmarks.score_cache.crowd import cold_key
from benchmarks.score_cache.driving import Driven
from benchmarks.score_cache.expiries import FROM_S, SHARE, TO_S, hot_key, warm_rows, warmed_together
from benchmarks.score_cache.replay import replay

NAME = "score-cache"
PLOT = "score-cache.png"
HOME = BUILD / "bench-score-cache"
PUBLISHED: list[Row] = [
    {"scoring": "online", "mean": -0.073, "p50": -0.099, "p90": -0.083, "p99": -0.044},
    {"scoring": "nearline", "mean": -0.092, "p50": -0.113, "p90": -0.075, "p99": -0.011},
]
"""Changes of latency by the cache that the paper reports (docs/paper.md)."""


def measure(settings: ScoreCacheBenchmark, folder: Path = FOLDER) -> Result:
    """All parts, written into `folder`."""
    where = measured_on()
    crowds = [_crowd(settings, processes) for processes in (1, 2)]
    say("cold key measured")
    hot = hot_key(settings)
    say("hot key measured")
    warm = warmed_together(settings)
    say("warmed keys measured")
    replayed = replay(settings)
    _plot(warm, folder)
    result = Result(
        name=NAME,
        title="The score cache under crowds and expiries",
        settings=asdict(settings),
        tables={
            "Many callers of one missing score": crowds,
            "One key that is read often, while its score expires": hot,
            "Keys that were computed together": warm_rows(warm),
            "A trace with pages and repetitions": replayed,
            "Published changes of latency": PUBLISHED,
        },
        findings=_findings(crowds, hot, warm_rows(warm), replayed),
        plots=[PLOT],
    )
    write(result, folder, where)
    return result


def _crowd(settings: ScoreCacheBenchmark, processes: int) -> Row:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        return cold_key(settings.callers, processes, settings.crowd_cost_s, HOME)
    finally:
        shutil.rmtree(HOME)


def _plot(warm: Mapping[str, Driven], folder: Path) -> None:
    seconds = range(int(FROM_S), int(TO_S))
    series = {name: (list(seconds), [driven.by_second[n] for n in seconds]) for name, driven in warm.items()}
    title = "Keys computed together at 0: scores computed anew"
    plots.lines(folder / PLOT, title, "seconds", "calls a second", series, log=True)


def _findings(
    crowds: Sequence[Row], hot: Sequence[Row], warm: Sequence[Row], replayed: Sequence[Row]
) -> list[str]:
    found = [
        f"{row['callers']:,} callers of a missing score, {row['processes']} "
        f"process{'es' if row['processes'] != 1 else ''}: {row['engine calls']} engine call (goal: 1), "
        f"all {row['answered']:,} answered, {row['waited for it']:,} of them waited for it"
        for row in crowds
    ]
    found += [
        f"a hot key's expiry at {row['seconds a score']} s a score: {row['readers that waited']} of "
        f"{row['reads']:,} readers waited (goal: 0), {100 * float(str(row['extra calls'])):.2f}% extra calls "
        "(goal: at most 2%)"
        for row in hot
        if row["cache"] == OURS
    ]
    (ours,) = (row for row in warm if row["cache"] == OURS)
    found.append(
        f"keys computed together: {ours['calls at the peak, a second']} calls in the worst second, "
        f"{100 * float(str(ours[SHARE])):.1f}% of the plain cache's peak (goal: at most 2%)"
    )
    (ours,) = (row for row in replayed if row["cache"] == OURS)
    changes = ", ".join(
        f"{name} {100 * float(str(ours[f'{name}, change'])):+.1f}%" for name in ("mean", "p50", "p90", "p99")
    )
    found.append(
        f"trace with pages and repetitions: {100 * float(str(ours['hits'])):.0f}% hits (goal: at least 50%); {changes}"
    )
    return found
