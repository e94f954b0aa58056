"""The traces: some to fit on, and some of another rate, shape, seed and of other lengths to be compared on."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from operator import itemgetter

from pipeline.simulation.arrivals import Bursts
from pipeline.simulation.content import Content, made_up
from pipeline.simulation.traces import Request
from schemas.traffic import TrafficClass

FIT = (
    Content(new=1.0, items=4, prefix_tokens=70, item_tokens=90, lengths="heavy"),
    Content(new=1.0, items=16, prefix_tokens=70, item_tokens=45, lengths="heavy"),
)
"""Half of the requests each: with two numbers of items, what an item costs can be told from what a token costs."""
HELD_OUT = (Content(new=1.0, items=10, prefix_tokens=40, item_tokens=60, lengths="heavy"),)
"""Every query is new, so that no cache answers: the server alone is compared. No prompt is longer than the context."""
DEADLINE_S = 60.0


def alone_trace(requests: int, seed: int) -> list[Request]:
    """Requests that are sent one by one, with the lengths of the traces to fit on."""
    return _made(Bursts(per_s=10.0, factor=1.0), FIT, requests, seed)[:requests]


def fitting_trace(capacity_per_s: float, seconds: float, seed: int) -> list[Request]:
    """Half of the capacity, with bursts of twice the capacity for 1.5 s every 10 s."""
    rate = Bursts(per_s=0.5 * capacity_per_s, factor=4.0, length_s=1.5, first_s=4.0, every_s=10.0)
    return _made(rate, FIT, seconds, seed)


def held_out_trace(capacity_per_s: float, seconds: float, seed: int) -> list[Request]:
    """0.3 of the capacity, with bursts of three times the capacity for 1.2 s every 8 s."""
    rate = Bursts(per_s=0.3 * capacity_per_s, factor=10.0, length_s=1.2, first_s=3.0, every_s=8.0)
    return _made(rate, HELD_OUT, seconds, seed)


def _made(rate: Bursts, contents: Sequence[Content], seconds: float, seed: int) -> list[Request]:
    """Requests of all contents, each at its share of the rate."""
    share = Bursts(
        per_s=rate.per_s / len(contents),
        factor=rate.factor,
        length_s=rate.length_s,
        first_s=rate.first_s,
        every_s=rate.every_s,
    )
    made = (
        made_up({TrafficClass.ONLINE: (share, DEADLINE_S)}, content, seconds, 100 * seed + n)
        for n, content in enumerate(contents)
    )
    return list(merge(*made, key=itemgetter(0)))
