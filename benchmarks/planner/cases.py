"""Random planning problems that an exact solver settles in an instant."""

from random import Random

from pipeline.planning.offers import UNBOUNDED_MS, Demand, Measured, Offer
from pipeline.planning.problem import Problem, pose
from schemas.errors import ConfigError

BOUNDS_MS = (500.0, 30_000.0, UNBOUNDED_MS)


def problems(seed: int, count: int) -> list[Problem]:
    """`count` problems that at least all machines together can serve; the same seed gives the same ones."""
    random, found = Random(seed), list[Problem]()
    while len(found) < count:
        try:
            found.append(pose(*drawn(random)))
        except ConfigError:
            continue  # the machines' limits do not reach the demand
    return found


def drawn(random: Random) -> tuple[list[Demand], list[Offer]]:
    """One to three classes, two to eight offers with one way of running for some of the bounds; a third is limited.

    Throughputs of 10 to 1,000 items a second, higher at looser bounds; prices a little above or below proportional.
    """
    bounds = BOUNDS_MS[: random.randint(1, len(BOUNDS_MS))]
    demands = [
        Demand(name=f"class-{at}", bound_ms=bound_ms, items_per_s=float(random.randint(50, 4000)))
        for at, bound_ms in enumerate(bounds)
    ]
    return demands, [_offer(random, f"offer-{at}", bounds) for at in range(random.randint(2, 8))]


def _offer(random: Random, name: str, bounds: tuple[float, ...]) -> Offer:
    items_per_s = 10 ** random.uniform(1, 3)
    price = items_per_s ** random.uniform(0.8, 1.1) / 100
    ways = []
    for bound_ms in sorted(random.sample(bounds, random.randint(1, len(bounds)))):
        ways.append(Measured(items_per_s=round(items_per_s, 1), bound_ms=bound_ms, command="drawn"))
        items_per_s *= random.uniform(1, 1.5)
    limit = random.choice([None, None, random.randint(1, 20)])
    return Offer(name=name, price_per_hour=round(price + 0.01, 3), measured=tuple(ways), at_most=limit)
