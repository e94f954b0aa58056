"""Many callers of one missing score: threads of one process, or of two that share an LMDB store."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from typing_extensions import override

from benchmarks.common.figures import percentile
from benchmarks.common.report import Row
from models.prompts import Item
from models.ranker import Ranker
from pipeline.scoring.cached import CachedScorer
from storage.opening import open_store
from storage.scores import ScoreCache

STACK_BYTES = 128 << 10
ITEM = Item(title="Nurse", company=None, location=None, employment_type=None, remote=None, text="a ward")
DEADLINE_S = 60.0


class Counted(Ranker):
    """A ranker that takes a fixed time, and counts the calls of all processes together."""

    model = "counted@1"

    def __init__(self, calls: "Synchronized[int]", cost_s: float) -> None:
        self._calls, self._cost_s = calls, cost_s

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Sleep, and score everything alike."""
        with self._calls.get_lock():
            self._calls.value += 1
        time.sleep(self._cost_s)
        return [0.5] * len(items)


def cold_key(callers: int, processes: int, cost_s: float, folder: Path) -> Row:
    """So many callers at once, split over processes: engine calls, and how long the callers took."""
    context: Any = multiprocessing.get_context("spawn")
    calls, ready, took = context.Value("i", 0), context.Barrier(processes), context.Queue()
    url = f"lmdb://{folder}/cache?sync=os" if processes > 1 else None
    share = callers // processes
    started = [
        context.Process(target=_process, args=(share, cost_s, url, calls, ready, took), daemon=True)
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    told = [took.get(timeout=DEADLINE_S) for _ in started]
    seconds = [one for some, _ in told for one in some]
    for process in started:
        process.join(DEADLINE_S)
    return {
        "callers": share * processes,
        "processes": processes,
        "engine calls": calls.value,
        "answered": len(seconds),
        "waited for it": sum(waits for _, waits in told),
        "seconds a score": cost_s,
        "p50 s": percentile(seconds, 0.5),
        "p99 s": percentile(seconds, 0.99),
    }


def _process(
    callers: int, cost_s: float, url: str | None, calls: "Synchronized[int]", ready: Any, took: Any
) -> None:
    ranker = Counted(calls, cost_s)
    if url is None:
        ready.wait(DEADLINE_S)
        scorer = CachedScorer(ranker)
        took.put((_crowd(callers, scorer), scorer.counts()["waits"]))
        return
    with closing(open_store(url)) as store:
        scorer = CachedScorer(ranker, ScoreCache(store))
        ready.wait(DEADLINE_S)
        took.put((_crowd(callers, scorer), scorer.counts()["waits"]))


def _crowd(callers: int, scorer: CachedScorer) -> list[float]:
    """Seconds that each caller took, all of them threads that were let go together."""
    threading.stack_size(STACK_BYTES)
    let, took = threading.Event(), list[float]()

    def call() -> None:
        let.wait(DEADLINE_S)
        began = time.monotonic()
        if scorer.score_many("nurse", [ITEM], DEADLINE_S) == [0.5]:
            took.append(time.monotonic() - began)

    threads = [threading.Thread(target=call, daemon=True) for _ in range(callers)]
    _all(threads, threading.Thread.start)
    let.set()
    _all(threads, threading.Thread.join)
    return took


def _all(threads: Sequence[threading.Thread], do: Callable[[threading.Thread], None]) -> None:
    for thread in threads:
        do(thread)
