"""What a plan is made from: the demand of each traffic class, and machine types with measured throughput and price."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from schemas.errors import ConfigError

#: Stands for a class without a latency bound, and for a throughput that was measured without one.
UNBOUNDED_MS = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Items a second of one traffic class, and its latency bound: p95 in milliseconds, UNBOUNDED_MS for what may wait.

    `items_per_s`: None until a trace or an option gives it.
    """

    name: str
    bound_ms: float = UNBOUNDED_MS
    items_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A throughput of one machine: items a second at which p95 stays within `bound_ms`, and how it was measured.

    `uses`: names of the techniques that were in use.
    """

    items_per_s: float
    command: str
    bound_ms: float = UNBOUNDED_MS
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A machine type: its price an hour, how many may be had (None: any number), and what was measured on it.

    A machine runs in one of the measured ways at a time. `example`: the price is an example, not a quote.
    """

    name: str
    price_per_hour: float
    measured: tuple[Measured, ...]
    at_most: int | None = None
    example: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """By how much a technique divides the machines: 2.0 if it halves the work. `source`: where the factor is from."""

    name: str
    factor: float
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A file of offers as it was read."""

    demands: tuple[Demand, ...] = ()
    offers: tuple[Offer, ...] = ()
    techniques: tuple[Technique, ...] = ()


def check_offers(offers: Collection[Offer]) -> None:
    """Raise ConfigError for offers that no plan can be made from; the message names the offer and what is wrong."""
    if not offers:
        raise ConfigError(
            "there is no offer: give at least one machine type, [[offer]] with name and price_per_hour"
        )
    _check_names("offer", [one.name for one in offers])
    for one in offers:
        _check_offer(one)


def check_techniques(techniques: Collection[Technique], offers: Iterable[Offer]) -> None:
    """Raise ConfigError for a technique that is there twice, has no positive factor, or is used and not described."""
    _check_names("technique", [one.name for one in techniques])
    for one in techniques:
        positive(f"technique {one.name!r}: factor", one.factor)
    known = {one.name for one in techniques}
    for offer in offers:
        if unknown := sorted(name for way in offer.measured for name in way.uses - known):
            raise ConfigError(
                f"offer {offer.name!r} uses {unknown[0]!r}, which is no [[technique]] of the file"
            )


def check_demands(demands: Collection[Demand]) -> None:
    """Raise ConfigError unless each class has a name of its own, a bound and a demand, one of which is above 0."""
    if not demands:
        raise ConfigError("there is no traffic class: give [[class]] with name, bound_ms and items_per_s")
    _check_names("class", [one.name for one in demands])
    for one in demands:
        _check_demand(one)
    if not any(one.items_per_s for one in demands):
        raise ConfigError("no class demands anything: items_per_s is 0 for each of them")


def _check_demand(one: Demand) -> None:
    if not one.bound_ms > 0:  # also for NaN
        raise ConfigError(
            f"class {one.name!r}: bound_ms must be above 0, or absent for work that may wait: {one.bound_ms}"
        )
    if one.items_per_s is None:
        raise ConfigError(
            f"class {one.name!r} has no demand: give items_per_s, `--demand {one.name}=…` or a trace"
        )
    not_negative(f"class {one.name!r}: items_per_s", one.items_per_s)


def _check_offer(one: Offer) -> None:
    not_negative(f"offer {one.name!r}: price_per_hour", one.price_per_hour)
    if one.at_most is not None and one.at_most < 0:
        raise ConfigError(f"offer {one.name!r}: at_most must not be negative: {one.at_most}")
    if not one.measured:
        raise ConfigError(
            f"offer {one.name!r} has no measured throughput, and none is guessed: measure it on such a machine "
            "(`python -m benchmarks.engine`), then give [[offer.measured]] with items_per_s, bound_ms and command"
        )
    for measured in one.measured:
        _check_measured(one.name, measured)


def _check_measured(name: str, measured: Measured) -> None:
    positive(f"offer {name!r}: items_per_s", measured.items_per_s)
    if not measured.bound_ms > 0:
        raise ConfigError(f"offer {name!r}: bound_ms must be above 0: {measured.bound_ms}")
    if not measured.command.strip():
        raise ConfigError(f"offer {name!r}: give the command that measured {measured.items_per_s:g} items/s")


def _check_names(kind: str, names: list[str]) -> None:
    if not all(name.strip() for name in names):
        raise ConfigError(f"a {kind} has an empty name")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"{kind} {twice!r} is there twice: give each name once")


def positive(what: str, value: float) -> float:
    """The value; ConfigError names `what` when it is no finite number above 0."""
    if not 0 < value < math.inf:
        raise ConfigError(f"{what} must be a number above 0: {value}")
    return value


def not_negative(what: str, value: float) -> float:
    """The value; ConfigError names `what` when it is no finite number from 0 on."""
    if not 0 <= value < math.inf:
        raise ConfigError(f"{what} must be a number that is not negative: {value}")
    return value
