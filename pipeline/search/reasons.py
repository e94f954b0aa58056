"""Why a posting is among the results, in phrases that a person reads."""

from collections.abc import Iterator

from pipeline.filters import filter_checks
from pipeline.match import feature_terms
from pipeline.search.results import Ranked
from pipeline.search.wanted import Wanted
from schemas.records import FeatureRecord


def reasons(wanted: Wanted, ranked: Ranked, record: FeatureRecord) -> Iterator[str]:
    """The promotion first, because it is no merit; then what found it, the score, and the filters that it passes."""
    found, promotion = ranked.found, ranked.promotion
    if promotion is not None:
        yield f"promoted by campaign {promotion.campaign} from place {promotion.organic_place}"
    if ranked.p_yes is not None:
        yield f"the ranker's p_yes is {ranked.p_yes:.2f}"
    if found.word_place is not None:
        words = sorted(wanted.terms & feature_terms(record))
        yield f"place {found.word_place} by words: {', '.join(words)}"
    if found.meaning_place is not None:
        yield f"place {found.meaning_place} by meaning: similarity {found.similarity:.2f}"
    for check in filter_checks(wanted.filters, record):
        if check.wanted is not None:
            yield f"{check.name}: wanted {check.wanted}, {_has(check.found)}"


def _has(found: str | None) -> str:
    return f"has {found}" if found else "says nothing about it"
