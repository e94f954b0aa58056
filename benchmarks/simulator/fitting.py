"""Fit the simulator's service times to a real server, from its own metrics and from requests sent one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import NamedTuple

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.simulator.client import Played
from pipeline.simulation.asked import pairs_of
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.traces import Request


class Work(NamedTuple):
    """What the engine computed in one span of time."""

    batches: float
    jobs: float
    tokens: float
    engine_s: float


def windows(scrapes: Sequence[str]) -> Iterator[Work]:
    """Yield what was computed between each two scrapes in which a batch ended."""
    for before, after in pairwise(map(_counts, scrapes)):
        work = Work(*(b - a for a, b in zip(before, after, strict=True)))
        if work.batches:
            yield work


def fit(name: str, alone: Played, loaded: Sequence[Played]) -> ServiceTimes:
    """Return the service times of a server that was asked one by one, and under the load of some traces.

    The lone requests tell what a pair costs beside a token, which depends on each request's lengths; the load tells
    what batches, jobs and tokens cost, which lone requests cannot tell apart.
    """
    spans = [work for one in loaded for work in windows(one.scrapes)]
    pair_tokens = _pair_tokens(alone)
    batch_s, job_s, whole_s = _line(spans)
    token_s = whole_s / (
        1 + pair_tokens * _pairs_a_token([one for played in loaded for one in played.requests])
    )
    computed_s = [
        batch_s + job_s + token_s * (tokens(one) + pair_tokens * pairs(one)) for one in alone.requests
    ]
    outside_s = median(latency - own for latency, own in zip(alone.latencies_s, computed_s, strict=True))
    loop_s = sum(one.loop_cpu_s for one in loaded) / sum(len(one.requests) for one in loaded)
    loop_s = min(loop_s, max(0.0, outside_s))
    return ServiceTimes(
        name=name,
        token_s=token_s,
        pair_s=token_s * pair_tokens,
        job_s=job_s,
        batch_s=batch_s,
        request_s=loop_s / 2,
        answer_s=loop_s / 2,
        way_s=max(0.0, outside_s - loop_s),
        spread=_spread(alone.latencies_s, outside_s, computed_s),
        most_tokens=round(max(work.tokens / work.batches for work in spans)),
    )


def tokens(request: Request) -> int:
    """Tokens that are computed for a request: its prefix once."""
    return request.prefix_tokens + len(request.candidates) * round(request.item_tokens)


def pairs(request: Request) -> float:
    """Pairs of tokens in a request's prompts."""
    return pairs_of(request, len(request.candidates))


def _pairs_a_token(requests: Sequence[Request]) -> float:
    return sum(map(pairs, requests)) / sum(map(tokens, requests))


def _pair_tokens(alone: Played) -> float:
    """How many tokens a pair costs as much as, by least squares over the lone requests; at least 0."""
    held = np.array([[1.0, tokens(one), pairs(one)] for one in alone.requests])
    _, token_s, pair_s = np.linalg.lstsq(held, np.array(alone.latencies_s), rcond=None)[0]
    return max(0.0, float(pair_s / token_s)) if token_s > 0 else 0.0


def _line(spans: Sequence[Work]) -> tuple[float, float, float]:
    """Seconds a batch, a job and a token by least squares; what would be below 0 is left out, the token never."""
    names = ["batches", "jobs", "tokens"]
    seconds = np.array([work.engine_s for work in spans])
    while True:
        held = np.array([[getattr(work, name) for name in names] for work in spans])
        found = dict(zip(names, map(float, np.linalg.lstsq(held, seconds, rcond=None)[0]), strict=True))
        below = [name for name, value in found.items() if value < 0 and name != "tokens"]
        if not below:
            return found.get("batches", 0.0), found.get("jobs", 0.0), found["tokens"]
        names = [name for name in names if name not in below]


def _spread(latencies_s: Sequence[float], outside_s: float, computed_s: Sequence[float]) -> tuple[float, ...]:
    """Times of the requests sent one by one over what the formula says, with a mean of 1."""
    factors = [
        max(0.1, (latency - outside_s) / own) for latency, own in zip(latencies_s, computed_s, strict=True)
    ]
    middle = mean(factors)
    return tuple(sorted(factor / middle for factor in factors))


def _counts(page: str) -> Work:
    seen = {
        sample.name.removeprefix("nearline_model_"): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.labels.get("task") == "score" and "le" not in sample.labels
    }
    return Work(
        batches=seen["engine_seconds_count"],
        jobs=seen["batch_jobs_sum"],
        tokens=seen["batch_tokens_sum"],
        engine_s=seen["engine_seconds_sum"],
    )
