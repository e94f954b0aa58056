"""A trace of searches with pages and repetitions, through a server with a queue: with a cache and without."""

import heapq
import random
from dataclasses import dataclass

from benchmarks.common.figures import percentile
from benchmarks.common.report import Row
from benchmarks.common.settings import ScoreCacheBenchmark
from benchmarks.score_cache.contenders import OURS, PLAIN, TTL_S, Cache, caches
from pipeline.scoring.flights import Verdict

NONE = "no cache"
#: A request asks for the scores of the query's postings in so many keys; each stands for a page of its list.
PAGES = 10
PAGE_PAUSE_S = 30.0
ZIPF = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when, and the keys of the scores that it needs."""

    at_s: float
    keys: tuple[bytes, ...]


def trace(settings: ScoreCacheBenchmark) -> list[Request]:
    """Requests in order: a share are queries never seen before, the others an earlier one again, drawn by Zipf's law.

    A query needs one to three of its ten pages; half of the searches turn to the next page after a while.
    """
    rng, now, queries = random.Random(settings.seed), 0.0, 0
    waiting: list[tuple[float, int, int]] = []
    found: list[Request] = []
    while now < settings.trace_s:
        now += rng.expovariate(settings.request_rate)
        while waiting and waiting[0][0] <= now:
            at_s, query, page = heapq.heappop(waiting)
            found.append(_request(at_s, query, page))
            _turn(rng, waiting, at_s, query, page)
        if queries == 0 or rng.random() < settings.new_queries:
            queries += 1
            query = queries
        else:
            query = _zipf(rng, queries)
        found.append(_request(now, query, 0))
        _turn(rng, waiting, now, query, 0)
    return sorted(found, key=lambda request: request.at_s)


def replay(settings: ScoreCacheBenchmark) -> list[Row]:
    """Hits and latencies of the trace without a cache, with a plain one and with ours, on one server."""
    requests = trace(settings)
    makers = caches(seed=settings.seed)
    before = _latencies(settings, requests, None)
    with_cache = [
        _row(name, _latencies(settings, requests, makers[name]()), before) for name in (PLAIN, OURS)
    ]
    return [_row(NONE, before, before), *with_cache]


@dataclass(slots=True)
class _Served:
    """Latencies after the first 15 minutes, and look-ups by what they found."""

    latencies_s: list[float]
    hits: int = 0
    lookups: int = 0


def _latencies(settings: ScoreCacheBenchmark, requests: list[Request], cache: Cache | None) -> _Served:
    """One server takes the requests in order; what is computed anew for a reader that has an answer comes behind."""
    served, free_s = _Served([]), 0.0
    for request in requests:
        start_s = max(free_s, request.at_s)
        counted = request.at_s >= TTL_S
        missing, behind = [], []
        for key in request.keys:
            verdict = Verdict.LEAD if cache is None else cache.look_up(start_s, key).verdict
            served.lookups += counted
            served.hits += counted and verdict in (Verdict.HIT, Verdict.EARLY)
            if verdict is Verdict.LEAD:
                missing.append(key)
            elif verdict is Verdict.EARLY:
                behind.append(key)
        end_s = start_s + settings.request_s + settings.page_s * len(missing)
        free_s = end_s + settings.page_s * len(behind)
        if cache is not None:
            for key in (*missing, *behind):
                cache.filled(end_s, key, 0.5, settings.page_s)
        if counted:
            served.latencies_s.append(end_s - request.at_s)
    return served


def _row(name: str, served: _Served, before: _Served) -> Row:
    mean = sum(served.latencies_s) / len(served.latencies_s)
    old_mean = sum(before.latencies_s) / len(before.latencies_s)
    changes = {
        f"p{share:.0%}".rstrip("%"): percentile(served.latencies_s, share)
        / percentile(before.latencies_s, share)
        - 1
        for share in (0.5, 0.9, 0.99)
    }
    return {
        "cache": name,
        "hits": served.hits / served.lookups if name != NONE else 0.0,
        "mean ms": 1000 * mean,
        "p50 ms": 1000 * percentile(served.latencies_s, 0.5),
        "p99 ms": 1000 * percentile(served.latencies_s, 0.99),
        "mean, change": mean / old_mean - 1,
        **{f"{share}, change": change for share, change in changes.items()},
    }


def _request(at_s: float, query: int, page: int) -> Request:
    return Request(at_s, tuple(b"%d/%d" % (query, n) for n in range(3 * page, 3 * page + 3) if n < PAGES))


def _turn(
    rng: random.Random, waiting: list[tuple[float, int, int]], at_s: float, query: int, page: int
) -> None:
    """Half of the readers ask for the next page, up to the last one."""
    if 3 * (page + 1) < PAGES and rng.random() < 0.5:
        heapq.heappush(waiting, (at_s + rng.expovariate(1 / PAGE_PAUSE_S), query, page + 1))


def _zipf(rng: random.Random, queries: int) -> int:
    """A query from 1 to `queries`; the n-th is drawn about as often as 1/n (the inverse of the continuous law)."""
    return min(queries, int(queries ** rng.random()))
