"""What a browser may ask of the system: one posting, one pair, the dead letters, and to send them back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from typing_extensions import override

from models.extractive.kept import kept
from models.prompts import MAX_CHARS
from pipeline.explain import Explanation
from schemas.clean import clean
from schemas.records import FeatureRecord
from storage.features import FeatureStore
from streaming.kafka.settings import KafkaSettings
from streaming.tools import dead_letters
from streaming.tools.dead_letters import SentBack, StoredLetter

MOST_LETTERS = 100
"""Dead letters in the list, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A posting as a person reads it: cleaned text, and the spans of it that the summary keeps.

    `spans` is None for a summary with words of its own; `text` is None if the store has none.
    """

    record: FeatureRecord
    text: str | None
    spans: Sequence[tuple[int, int]] | None


class Desk(Protocol):
    """Answers a browser's questions; every method may be called from several threads.

    Each raises ConfigError for what does not exist, and BrokersUnavailable, StoreUnavailable or ModelUnavailable while
    a part is away.
    """

    def posting(self, posting_id: str) -> Read | None:
        """The posting as the store has it now; None if it has none."""
        ...

    def pair(self, search_id: str, posting_id: str) -> Explanation:
        """Why the pair did or did not alert."""
        ...

    def letters(self) -> Sequence[StoredLetter]:
        """The newest dead letters, the newest first."""
        ...

    def letter(self, partition: int, offset: int) -> StoredLetter:
        """One dead letter, whole."""
        ...

    def replay(self, first: int, last: int | None) -> SentBack:
        """Send the dead letters at these offsets back, each once; to the end when `last` is None."""
        ...


class Parts(Protocol):
    """The store and the explanations of one system, open for reading; `nearline explain` opens the same."""

    features: FeatureStore

    def explain(self, search_id: str, posting_id: str) -> Explanation:
        """See `Desk.pair`."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


class SystemDesk(Desk):
    """`Desk` over brokers and stores.

    The store is opened at the first question: when the page starts with the stack, the store may not exist yet.
    """

    def __init__(self, kafka: KafkaSettings, open_parts: Callable[[], Parts]) -> None:
        self._kafka, self._open = kafka, open_parts
        self._parts: Parts | None = None
        self._lock = Lock()

    @override
    def posting(self, posting_id: str) -> Read | None:
        return read(self._opened().features, posting_id)

    @override
    def pair(self, search_id: str, posting_id: str) -> Explanation:
        """One at a time: each reads the topic of searches, and may ask the ranker."""
        parts = self._opened()
        with self._lock:
            return parts.explain(search_id, posting_id)

    @override
    def letters(self) -> Sequence[StoredLetter]:
        """Read the whole topic, which replays need too."""
        found = list(dead_letters.letters(self._kafka))
        found.sort(key=lambda one: (one.at_ms, one.partition, one.offset), reverse=True)
        return found[:MOST_LETTERS]

    @override
    def letter(self, partition: int, offset: int) -> StoredLetter:
        return dead_letters.letter(self._kafka, offset, partition=partition)

    @override
    def replay(self, first: int, last: int | None) -> SentBack:
        """One at a time: a second replay would end the first."""
        with self._lock:
            return dead_letters.replay(self._kafka, first=first, last=last)

    def records(self) -> Iterator[FeatureRecord]:
        """Every record of the store, for a search."""
        return self._opened().features.scan()

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._parts is not None:
                self._parts.close()
            self._parts = None

    def _opened(self) -> Parts:
        with self._lock:
            if self._parts is None:
                self._parts = self._open()
            return self._parts


def read(features: FeatureStore, posting_id: str) -> Read | None:
    """The posting with its cleaned text, and where in it the summary's phrases stand."""
    (record,), (raw,) = features.get_many([posting_id]), features.texts([posting_id])
    if record is None:
        return None
    if raw is None:
        return Read(record=record, text=None, spans=None)
    text = clean(raw.description, MAX_CHARS)
    return Read(record=record, text=text, spans=spans_of(text, record.summary))


def spans_of(text: str, summary: str) -> list[tuple[int, int]] | None:
    """Where in a text the phrases of its summary stand; None for a summary with words of its own."""
    found = kept(text, summary)
    return None if found is None else [(phrase.start, phrase.end) for phrase in found]


def pieces(text: str, spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The text cut at the spans: {text, kept}. Offsets would not do: a browser counts other characters than Python."""
    made, at = list[dict[str, Any]](), 0
    for start, end in spans:
        made += [{"text": text[at:start], "kept": False}, {"text": text[start:end], "kept": True}]
        at = end
    return [piece for piece in (*made, {"text": text[at:], "kept": False}) if piece["text"]]
