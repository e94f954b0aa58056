"""What happens when scores expire: one key that is read often, and many keys that were computed together."""

import random
from collections.abc import Iterator, Mapping

from benchmarks.common.report import Row
from benchmarks.common.settings import ScoreCacheBenchmark
from benchmarks.score_cache.contenders import PLAIN, TTL_S, caches
from benchmarks.score_cache.driving import Driven, Read, drive

HOT = b"hot"
SHARE = "share of the plain cache's"
#: Between these the scores that were computed at 0 expire, in every cache.
FROM_S, TO_S = 650.0, 960.0


def hot_key(settings: ScoreCacheBenchmark) -> list[Row]:
    """One key read `hot_rate` times a second for `hot_lifetimes` of 15 minutes, at each cost of a score."""
    rows: list[Row] = []
    for cost_s in settings.hot_costs_s:
        for name, make in caches(seed=settings.seed).items():
            driven = drive(make(), _hot_reads(settings), cost_s)
            rows.append(
                {
                    "cache": name,
                    "seconds a score": cost_s,
                    "reads": driven.reads,
                    "calls": driven.calls,
                    "extra calls": driven.extra(),
                    "readers that waited": driven.blocked - _first(settings, cost_s),
                }
            )
    return rows


def warmed_together(settings: ScoreCacheBenchmark) -> dict[str, Driven]:
    """All keys are computed at 0; then each is read about once a second while they expire."""
    found = {}
    for name, make in caches(seed=settings.seed).items():
        cache = make()
        for n in range(settings.keys):
            cache.filled(0.0, b"%d" % n, 0.5, settings.cost_s)
        found[name] = drive(cache, _reads(settings), settings.cost_s)
    return found


def warm_rows(found: Mapping[str, Driven]) -> list[Row]:
    """Calls at the peak second, beside the plain cache's."""
    return [
        {
            "cache": name,
            "calls at the peak, a second": driven.peak,
            SHARE: driven.peak / found[PLAIN].peak,
            "calls": driven.calls,
            "readers that waited": driven.blocked,
        }
        for name, driven in found.items()
    ]


def _first(settings: ScoreCacheBenchmark, cost_s: float) -> int:
    """Readers of the empty cache, before its first score: they wait with any cache."""
    end_s = next(now for now, _ in _hot_reads(settings)) + cost_s
    return sum(1 for now, _ in _until(_hot_reads(settings), end_s))


def _until(reads: Iterator[Read], end_s: float) -> Iterator[Read]:
    for read in reads:
        if read[0] >= end_s:
            return
        yield read


def _hot_reads(settings: ScoreCacheBenchmark) -> Iterator[Read]:
    rng, now = random.Random(settings.seed), 0.0
    while (now := now + rng.expovariate(settings.hot_rate)) < settings.hot_lifetimes * TTL_S:
        yield now, HOT


def _reads(settings: ScoreCacheBenchmark) -> Iterator[Read]:
    rng, now, names = random.Random(settings.seed), FROM_S, [b"%d" % n for n in range(settings.keys)]
    while (now := now + rng.expovariate(settings.keys)) < TO_S:
        yield now, names[int(rng.random() * settings.keys)]
