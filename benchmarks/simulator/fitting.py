"""Fit the simulator's service times to a real server, from its own metrics and from requests sent one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.simulator.client import Played
from pipeline.simulation.asked import pairs_of
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.traces import Request


class Work(NamedTuple):
    """What the engine computed in one span of time."""

    batches: float
    tokens: float
    engine_s: float


class Relative(NamedTuple):
    """What an item and a pair cost, in tokens."""

    item: float
    pair: float

    def weight(self, request: Request) -> float:
        """Tokens that a request costs as much as."""
        return tokens(request) + self.item * len(request.candidates) + self.pair * pairs(request)


def windows(scrapes: Sequence[str]) -> Iterator[Work]:
    """Yield what was computed between each two scrapes in which a batch ended."""
    for before, after in pairwise(map(_counts, scrapes)):
        work = Work(*(b - a for a, b in zip(before, after, strict=True)))
        if work.batches:
            yield work


def fit(name: str, alone: Played, loaded: Sequence[Played]) -> ServiceTimes:
    """Return the service times of a server that was asked one by one, and under the load of some traces.

    The lone requests tell what an item and a pair cost beside a token, which depends on each request's lengths; the
    load tells what a batch and a token cost while client and event loop work too.
    """
    spans = [work for one in loaded for work in windows(one.scrapes)]
    relative = _relative(alone)
    batch_s, whole_s = _line(spans)
    asked = [one for played in loaded for one in played.requests]
    token_s = whole_s * sum(map(tokens, asked)) / sum(map(relative.weight, asked))
    computed_s = [batch_s + token_s * relative.weight(one) for one in alone.requests]
    outside_s = median(latency - own for latency, own in zip(alone.latencies_s, computed_s, strict=True))
    loop_s = sum(one.loop_cpu_s for one in loaded) / len(asked)
    return ServiceTimes(
        name=name,
        token_s=token_s,
        pair_s=token_s * relative.pair,
        item_s=token_s * relative.item,
        batch_s=batch_s,
        request_s=loop_s / 2,
        answer_s=loop_s / 2,
        way_s=max(0.0, outside_s - loop_s),
        spread=_spread(alone, relative),
        most_tokens=round(max(work.tokens / work.batches for work in spans)),
    )


def tokens(request: Request) -> int:
    """Tokens that are computed for a request: its prefix once."""
    return request.prefix_tokens + len(request.candidates) * round(request.item_tokens)


def pairs(request: Request) -> float:
    """Pairs of tokens in a request's prompts."""
    return pairs_of(request, len(request.candidates))


def _relative(alone: Played) -> Relative:
    """Costs in tokens, by least squares over the lone requests; at least 0."""
    held = np.array([[1.0, tokens(one), len(one.candidates), pairs(one)] for one in alone.requests])
    _, token_s, item_s, pair_s = map(float, _least_squares(held, alone.latencies_s))
    if token_s <= 0:
        return Relative(0.0, 0.0)
    return Relative(max(0.0, item_s / token_s), max(0.0, pair_s / token_s))


def _line(spans: Sequence[Work]) -> tuple[float, float]:
    """Seconds a batch and a token by least squares; of a batch at least 0."""
    seconds = [work.engine_s for work in spans]
    batch_s, token_s = map(float, _least_squares(np.array([work[:2] for work in spans]), seconds))
    if batch_s < 0:
        batch_s, token_s = 0.0, sum(seconds) / sum(work.tokens for work in spans)
    return batch_s, token_s


def _least_squares(held: Any, wanted: Sequence[float]) -> Any:
    return np.linalg.lstsq(held, np.array(wanted), rcond=None)[0]


def _spread(alone: Played, relative: Relative) -> tuple[float, ...]:
    """Times of the lone requests over what a line through them says, with a mean of 1."""
    weights = [relative.weight(one) for one in alone.requests]
    held = np.array([[1.0, weight] for weight in weights])
    fixed_s, weight_s = map(float, _least_squares(held, alone.latencies_s))
    factors = [
        max(0.1, (latency - fixed_s) / (weight_s * weight))
        for latency, weight in zip(alone.latencies_s, weights, strict=True)
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
        tokens=seen["batch_tokens_sum"],
        engine_s=seen["engine_seconds_sum"],
    )
