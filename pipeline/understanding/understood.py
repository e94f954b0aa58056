"""What was understood of a text: its parts, each with the words that it came from, and the words left to look for."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.terms import terms
from pipeline.understanding.reading import joined
from schemas.errors import ConfigError
from schemas.events import parse_search
from schemas.records import THRESHOLD, SavedSearch

#: Names that a part can have: the fields of a saved search that filter.
NAMES = ("location", "radius_km", "remote", "employment_type", "pay_from", "must_not")
#: Longer texts are refused: nobody types them.
MOST_CHARS = 2_000
_MANY = "must_not"
_BY_HAND = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that was understood: the field that it sets, to what, and the words of the text that say so.

    `words` is empty for a part that was set by hand. `spans`: where the words stand in the cleaned text. `looked_for`:
    whether they are words to look for all the same, as those of an apprentice are.
    """

    name: str
    value: str
    words: str = _BY_HAND
    spans: tuple[tuple[int, int], ...] = ()
    looked_for: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A text, cleaned, with its parts. `notes`: what the person should know, a sentence each."""

    text: str
    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The text without the words of its parts: what is looked for, by words and by meaning."""
        spans = [span for part in self.parts if not part.looked_for for span in part.spans]
        return joined(self.text, spans)

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks of the reading, and what follows from the parts and words that are left."""
        if terms(self.words):
            return self.remarks
        if self.parts:
            return (*self.remarks, "no word to look for: whatever passes the filters matches")
        return (*self.remarks, "nothing is asked for: name a kind of work, a place or a condition")

    @property
    def asks_for_nothing(self) -> bool:
        """Whether neither a filter nor a word to look for is left: a search would take every posting."""
        return not self.parts and not terms(self.words)

    def without(self, names: Collection[str]) -> "Understood":
        """The same without the parts of these names, whose words are looked for again.

        `must_not:weekends` names one must-not of several; a radius goes with its place. Raises ConfigError for a name
        that is no part's.
        """
        for name in names:
            if name.partition(":")[0] not in NAMES:
                raise ConfigError(f"{name!r} names no part: drop one of {', '.join(NAMES)}")
        gone = {*names, "radius_km"} if "location" in names else set(names)
        kept = [part for part in self.parts if not {part.name, f"{part.name}:{part.value}"} & gone]
        return replace(self, parts=tuple(kept))

    def with_value(self, name: str, value: str) -> "Understood":
        """The same with a field set by hand; the words that set it before are still not looked for.

        One more `must_not` is added to the others. Raises ConfigError for an unknown name or a value that filters
        nothing, such as `maybe` for `remote`; EventError for one that the field cannot have.
        """
        if name not in NAMES:
            raise ConfigError(f"{name!r} cannot be set: set one of {', '.join(NAMES)}")
        parts = [replace(part, value=value) if part.name == name != _MANY else part for part in self.parts]
        if name == _MANY or name not in [part.name for part in parts]:
            parts.append(Part(name=name, value=value))
        made = replace(self, parts=tuple(parts))
        if getattr(made.search(""), name) in (None, "", ()):
            raise ConfigError(f"{name} {value!r} is no filter: give another value, or drop {name}")
        return made

    def search(self, search_id: str, threshold: float = THRESHOLD) -> SavedSearch:
        """The saved search that asks for this. Raises EventError for a value that its field cannot have."""
        row: dict[str, Any] = {"search_id": search_id or "-", "query": self.words}
        row["must_not"] = [part.value for part in self.parts if part.name == _MANY]
        for part in self.parts:
            if part.name != _MANY:
                row[part.name] = _number(part.value) if part.name == "radius_km" else part.value
        return replace(parse_search(row, threshold), search_id=search_id)


class Understanding(Protocol):
    """Turns a person's words into filters and words to look for: the rules of this package, or a model."""

    def understand(self, text: str) -> Understood:
        """What `text` asks for; raises ConfigError for a text that is longer than MOST_CHARS."""
        ...


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value
