"""The alert consumer's work without Kafka: decode, `AlertStep`, encode the alerts."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.alert_consumer.requests import PreparedRequests
from benchmarks.common import stages
from models.ranker import LexicalRanker
from pipeline.alert import AlertStep, Fate, Located
from pipeline.scoring.cached import CachedScorer
from schemas.codec import decode, encode
from schemas.records import ScoreRequest
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.alerting.loop import RequestLoopSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Candidates a second: by the clock, and by the processor time of the one process."""

    by_clock: float
    by_processor: float


def alone(prepared: PreparedRequests) -> Speed:
    """The step's speed in this process, on one core. RuntimeError when other pairs than the expected ones alert."""
    with _step(prepared) as work, one_core(psutil.Process()):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        fates = work()
        took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    if fates[Fate.ALERTED] != prepared.alerts or fates.total() != prepared.candidates:
        raise RuntimeError(
            f"expected {prepared.alerts} alerts of {prepared.candidates} candidates, found {fates}"
        )
    return Speed(by_clock=prepared.candidates / took_s, by_processor=prepared.candidates / took_cpu_s)


def inside(prepared: PreparedRequests) -> dict[str, float]:
    """The share of the time that each stage takes."""
    with _step(prepared) as work, one_core(psutil.Process()):
        return stages.shares(work)


@contextmanager
def one_core(process: psutil.Process) -> Iterator[None]:
    """Restrict a process to its last core within the `with` block."""
    before = process.cpu_affinity()
    process.cpu_affinity(before[-1:])
    try:
        yield
    finally:
        if process.is_running():
            process.cpu_affinity(before)


@contextmanager
def _step(prepared: PreparedRequests) -> Iterator[Callable[[], Counter[Fate]]]:
    """The work over all requests, in slices of the size that the consumer's loop takes when scores come fast."""
    values = [encode(request) for request in prepared.requests]
    size = RequestLoopSettings().max_slice
    with closing(open_store(prepared.store_url)) as kv, closing(open_store(prepared.cache_url)) as cache:
        step = AlertStep(
            FeatureStore(kv),
            CachedScorer(LexicalRanker(), ScoreCache(cache, reads_wait=False)),
            AlertLedger(kv),
        )

        def work() -> Counter[Fate]:
            fates: Counter[Fate] = Counter()
            for start in range(0, len(values), size):
                located = [
                    Located(request=decode(ScoreRequest, value), partition=0, offset=start + n)
                    for n, value in enumerate(values[start : start + size])
                ]
                done = step.run(located)
                fates += done.fates
                for alert in done.alerts:
                    encode(alert)
            return fates

        yield work
