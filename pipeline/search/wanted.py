"""What a person asks for, as it was understood: filters, and the words to look for."""

from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from models.prompts import MAX_QUERY_CHARS
from pipeline.terms import terms
from schemas.clean import clean
from schemas.errors import ConfigError
from schemas.records import SavedSearch

#: Longer questions are refused: nobody types them, and no model here reads more than `MAX_QUERY_CHARS` of them.
MOST_CHARS = 2_000
#: Filters of a search that asks for none.
ANYTHING = SavedSearch(search_id="", query="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that was understood: what it sets (`location`), to what, and the words of the question that say so."""

    name: str
    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """What the person changed of what was understood: parts taken out by their names, and filters set by hand."""

    dropped: tuple[str, ...] = ()
    filters: SavedSearch = ANYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`query`: the words that ranker, BM25 and embedder read. `notes`: what the person should know, a sentence each."""

    query: str
    filters: SavedSearch = ANYTHING
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> frozenset[str]:
        """The content terms of the query."""
        return terms(self.query)


class Understanding(Protocol):
    """Turns free text into filters and words."""

    def understand(self, text: str, corrections: Corrections) -> Wanted:
        """What `text` asks for; raises ConfigError for a text that cannot be answered, and says why."""
        ...


class PlainWords(Understanding):
    """Takes the whole text as words to look for, and as filters only what the person sets by hand."""

    @override
    def understand(self, text: str, corrections: Corrections) -> Wanted:
        """Clean the text; nothing in it becomes a filter."""
        query = checked(text)
        return Wanted(query=query, filters=corrections.filters, notes=notes(query))


def checked(text: str) -> str:
    """The cleaned text; ConfigError for one that is longer than `MOST_CHARS`."""
    if len(text) > MOST_CHARS:
        raise ConfigError(f"the query has {len(text):,} characters: give at most {MOST_CHARS:,}")
    return clean(text)


def notes(query: str) -> tuple[str, ...]:
    """What the person should know of the words that are looked for."""
    if not terms(query):
        return ("no word to look for: the newest postings that pass the filters",)
    if len(query) > MAX_QUERY_CHARS:
        return (f"the ranker reads the first {MAX_QUERY_CHARS} characters of the query",)
    return ()
