"""Request and answer of `POST /v1/search`, as JSON."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.search.results import Result, Results
from pipeline.search.searcher import MOST_RESULTS, SearchRequest
from pipeline.search.wanted import Corrections
from pipeline.understanding.understood import NAMES

Json = dict[str, Any]


class SearchBody(BaseModel):
    """One page that is asked for. For the next page: the same request with the answer's `cursor`."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="What is looked for, in a person's words.")
    dropped: list[str] = Field(
        default=[], max_length=32, description="Names of understood parts that the person took out."
    )
    set: dict[str, str | list[str]] = Field(
        default={}, description=f"Set by hand, before what was understood: {', '.join(NAMES)}."
    )
    limit: int = Field(default=10, ge=1, le=MOST_RESULTS, description="Results of a page.")
    cursor: str = Field(default="", max_length=64, description="Of the answer before; empty: the first page.")

    def request(self) -> SearchRequest:
        """The request as the searcher takes it."""
        put = [(name, one) for name, value in self.set.items() for one in _several(value)]
        corrections = Corrections(dropped=tuple(self.dropped), put=tuple(put))
        return SearchRequest(query=self.query, corrections=corrections, limit=self.limit, cursor=self.cursor)


def _several(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def answer(made: Results) -> Json:
    """An answer as JSON; times in milliseconds."""
    wanted = made.wanted
    return {
        "object": "search",
        "query": wanted.query,
        "understood": [
            {"name": part.name, "value": part.value, "words": part.words} for part in wanted.parts
        ],
        "words": sorted(wanted.terms),
        "notes": list(wanted.notes),
        "results": [_result(one) for one in made.results],
        "total": made.total,
        "cursor": made.cursor,
        "postings": made.postings,
        "passing": made.passing,
        "depth": made.depth,
        "model": made.model,
        "missing": list(made.missing),
        "took_ms": {step: round(1000 * took, 2) for step, took in made.took_s.items()},
    }


def _result(one: Result) -> Json:
    record, found, promotion = one.record, one.found, one.promotion
    return {
        "place": one.place,
        "posting_id": record.posting_id,
        "title": record.title,
        "company": record.company,
        "location": record.location,
        "employment_type": record.employment_type,
        "remote": record.remote,
        "salary": record.salary,
        "summary": record.summary,
        "version": record.version,
        "p_yes": one.p_yes,
        "reasons": list(one.reasons),
        "found": {
            "word_place": found.word_place,
            "bm25": round(found.bm25, 4),
            "meaning_place": found.meaning_place,
            "similarity": round(found.similarity, 4),
        },
        "promoted": None
        if promotion is None
        else {"campaign": promotion.campaign, "organic_place": promotion.organic_place},
    }
