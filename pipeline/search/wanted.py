"""What a search asks for: what was understood of a person's words, after the person's corrections."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.terms import terms
from pipeline.understanding.understood import Part, Understanding, Understood
from schemas.records import SavedSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Names of understood parts to take out, and fields to set by hand, each a name and its value."""

    dropped: tuple[str, ...] = ()
    put: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`query`: the words that ranker, BM25 and embedder read; `filters`: the rest, as a saved search has it."""

    query: str
    terms: frozenset[str]
    filters: SavedSearch
    parts: Sequence[Part]
    notes: Sequence[str]


def wanted(text: str, corrections: Corrections, understanding: Understanding) -> Wanted:
    """What `text` asks for. ConfigError for a text that is too long or an unknown part, EventError for a bad value."""
    made = understanding.understand(text).without(corrections.dropped)
    for name, value in corrections.put:
        made = made.with_value(name, value)
    return _wanted(made)


def _wanted(made: Understood) -> Wanted:
    return Wanted(
        query=made.words,
        terms=terms(made.words),
        filters=made.search(""),
        parts=made.parts,
        notes=made.notes,
    )
