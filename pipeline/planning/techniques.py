"""What a demand takes with and without each technique, by the factors that a file of offers gives."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.planning.offers import Measured, Offer, Technique


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Some of the techniques, and the offers as they would be with exactly those in use."""

    name: str
    uses: frozenset[str]
    offers: tuple[Offer, ...]


def cases(offers: Sequence[Offer], techniques: Sequence[Technique]) -> Iterator[Case]:
    """All techniques, all but one for each, and none at all.

    Factors multiply: a throughput that was measured with a technique is divided by its factor where the technique is
    not in use, and one that was measured without is multiplied where it is. Whether two techniques gain as much
    together as apart is for a measurement to say.
    """
    every = frozenset(one.name for one in techniques)
    yield _case("with all techniques", every, offers, techniques)
    for one in techniques:
        yield _case(f"without {one.name}", every - {one.name}, offers, techniques)
    yield _case("without any", frozenset(), offers, techniques)


def _case(name: str, uses: frozenset[str], offers: Sequence[Offer], techniques: Sequence[Technique]) -> Case:
    return Case(name=name, uses=uses, offers=tuple(_as_with(one, uses, techniques) for one in offers))


def _as_with(offer: Offer, uses: Collection[str], techniques: Sequence[Technique]) -> Offer:
    return replace(offer, measured=tuple(_throughput(way, uses, techniques) for way in offer.measured))


def _throughput(way: Measured, uses: Collection[str], techniques: Sequence[Technique]) -> Measured:
    gained = math.prod(one.factor for one in techniques if one.name in uses and one.name not in way.uses)
    lost = math.prod(one.factor for one in techniques if one.name in way.uses and one.name not in uses)
    return replace(way, items_per_s=way.items_per_s * gained / lost)
