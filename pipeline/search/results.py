"""What a search answers: the page of results, why each is there, and how the answer was made."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.search.index import Found
from pipeline.search.wanted import Wanted
from schemas.records import FeatureRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Why a posting stands higher than its relevance puts it: a campaign that pays for the place.

    `place`, `organic_place`: its places with and without the promotion. `price`: what the place costs the campaign.
    """

    campaign: str
    place: int
    organic_place: int
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A posting with its score; `p_yes` is None where no ranker scored it. `known`: the score was kept from before."""

    found: Found
    p_yes: float | None = None
    promotion: Promotion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One posting of a page; `place` counts from 1 over all pages. `reasons`: why it is there, a phrase each."""

    place: int
    record: FeatureRecord
    p_yes: float | None
    found: Found
    reasons: tuple[str, ...]
    promotion: Promotion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One page of an answer.

    `total`: ranked postings over all pages. `cursor`: what the next page is asked by; "" after the last one.
    `postings`, `passing`: in the index, and of those through the filters. `depth`: how many could be scored.
    `missing`: parts that were away, each with what that meant for this answer; empty when nothing was.
    `took_s`: seconds by step.
    """

    wanted: Wanted
    results: tuple[Result, ...]
    total: int
    cursor: str
    postings: int
    passing: int
    depth: int
    model: str
    missing: tuple[str, ...]
    took_s: Mapping[str, float]
