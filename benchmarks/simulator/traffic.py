"""The traces: one to fit on, and one of another rate, shape, seed and of other lengths to be compared on."""

from __future__ import annotations

from itertools import islice

from pipeline.simulation.arrivals import Bursts
from pipeline.simulation.content import Content, made_up
from pipeline.simulation.traces import Request
from schemas.traffic import TrafficClass

FIT = Content(new=1.0, items=6, prefix_tokens=70, item_tokens=80, lengths="heavy")
HELD_OUT = Content(new=1.0, items=12, prefix_tokens=40, item_tokens=50, lengths="heavy")
"""Every query is new, so that no cache answers: the server alone is compared. No prompt is longer than the context."""
DEADLINE_S = 60.0


def alone_trace(requests: int, seed: int) -> list[Request]:
    """Requests that are sent one by one, with the lengths of the trace to fit on."""
    return list(islice(_made(Bursts(per_s=10.0, factor=1.0), FIT, 10.0 * requests, seed), requests))


def fitting_trace(capacity_per_s: float, seconds: float, seed: int) -> list[Request]:
    """Half of the capacity, with bursts of twice the capacity for 1.5 s every 10 s."""
    rate = Bursts(per_s=0.5 * capacity_per_s, factor=4.0, length_s=1.5, first_s=4.0, every_s=10.0)
    return list(_made(rate, FIT, seconds, seed))


def held_out_trace(capacity_per_s: float, seconds: float, seed: int) -> list[Request]:
    """0.4 of the capacity, with bursts of 2.4 times the capacity for 3 s every 20 s."""
    rate = Bursts(per_s=0.4 * capacity_per_s, factor=6.0, length_s=3.0, first_s=7.0, every_s=20.0)
    return list(_made(rate, HELD_OUT, seconds, seed))


def _made(rate: Bursts, content: Content, seconds: float, seed: int) -> list[Request]:
    return list(made_up({TrafficClass.ONLINE: (rate, DEADLINE_S)}, content, seconds, seed))
