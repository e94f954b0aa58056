"""What made-up traffic requires when nothing may wait, and when alerts may: by its fullest spans of time."""

from collections.abc import Iterator
from heapq import merge
from random import Random

from benchmarks.common.report import Row
from pipeline.planning.offers import Demand
from pipeline.planning.required import Arrival, required_rates, unshaped_rate
from pipeline.simulation.arrivals import Bursts, Diurnal, Rate, Steady, times

SECONDS, PER_S, ITEMS = 1800.0, 20.0, 10
CLASSES = (Demand(name="online", bound_ms=500), Demand(name="nearline", bound_ms=30_000))
PATTERNS: dict[str, tuple[Rate, Rate]] = {
    "both steady": (Steady(PER_S), Steady(PER_S)),
    "alerts in bursts of 3 times for 10 s": (Steady(PER_S), Bursts(per_s=PER_S)),
    "both in bursts of 3 times for 10 s": (Bursts(per_s=PER_S), Bursts(per_s=PER_S)),
    "a day in half an hour, and alerts in bursts": (
        Diurnal(per_s=PER_S, period_s=SECONDS),
        Bursts(per_s=PER_S),
    ),
}


def shaping_rows(seed: int) -> Iterator[Row]:
    """A row for each pattern: items a second on average and as required without and with waiting, and their ratio."""
    for name, rates in PATTERNS.items():
        arrivals = list(_arrivals(rates, Random(seed)))
        mean = sum(one.items for one in arrivals) / SECONDS
        without, waiting = unshaped_rate(arrivals, CLASSES), required_rates(arrivals, CLASSES)[-1]
        yield {
            "arrivals": name,
            "mean items/s": mean,
            "nothing waits": without,
            "alerts wait up to 30 s": waiting,
            "factor": round(without / waiting, 3),
        }


def _arrivals(rates: tuple[Rate, Rate], random: Random) -> Iterator[Arrival]:
    online, nearline = (
        [Arrival(at_s, one.name, ITEMS) for at_s in times(rate, SECONDS, random)]
        for one, rate in zip(CLASSES, rates, strict=True)
    )
    return merge(online, nearline)
