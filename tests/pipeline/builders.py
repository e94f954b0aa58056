"""Records, rows, stores, and a summarizer and a ranker that fail where a test wants it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.embedder import HashingEmbedder
from models.prompts import Item
from models.ranker import Ranker
from models.summarizer import Summary, SummaryFailure, SummaryRejected, SummaryUnavailable
from pipeline.featurize import SourceRow
from schemas.clean import TEXT_RULES
from schemas.codec import encode
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.records import FeatureRecord, Op, Posting, PostingUpdate, SavedSearch
from storage.base import KeyValue
from storage.features import FeatureStore
from storage.memory import MemoryStore


def search(query: str, **fields: Any) -> SavedSearch:
    return replace(SavedSearch(search_id="s1", query=query), **fields)


def feature(**fields: Any) -> FeatureRecord:
    """An open posting with a current summary."""
    record = FeatureRecord(
        posting_id="p1",
        version=1,
        lifecycle_version=1,
        episode=1,
        begun_version=1,
        content_version=1,
        content_hash=b"c" * 16,
        input_hash=b"i" * 16,
        text_rules=TEXT_RULES,
        summary_version=1,
        summary_hash=b"i" * 16,
        model="instant@1",
        generation=1,
    )
    return replace(record, **fields)


def content(title: str, description: str, **fields: str) -> Posting:
    return Posting(title=title, description=description, **fields)


def update(posting_id: str, version: int, op: Op, posting: Posting | None = None) -> PostingUpdate:
    return PostingUpdate(posting_id=posting_id, version=version, op=op, posting=posting)


def rows(events: Sequence[PostingUpdate | bytes]) -> list[SourceRow]:
    """The events as messages of one partition; an event given as bytes is a message as it is."""
    return [
        SourceRow(event if isinstance(event, bytes) else encode(event), "postings.updates", 0, n, n)
        for n, event in enumerate(events)
    ]


def memory_kv() -> tuple[KeyValue, FeatureStore]:
    kv = MemoryStore(time.time)
    return kv, FeatureStore(kv)


def memory() -> FeatureStore:
    return memory_kv()[1]


class FlakySummarizer:
    """Answers with the description as summary; for those in `down` it is unavailable, those in `poison` it rejects."""

    def __init__(
        self, *, down: set[str] | None = None, poison: set[str] | None = None, model: str = "echo@1"
    ) -> None:
        self.down = down if down is not None else set()
        self.poison = poison if poison is not None else set()
        self.model = model
        self.asked: list[str] = []

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        assert deadline_s > 0
        return [self._answer(text.partition("\nText: ")[2]) for text in texts]

    def _answer(self, text: str) -> Summary | SummaryFailure:
        self.asked.append(text)
        if text in self.down:
            return SummaryUnavailable(reason="the server is down", retry_after_s=7.0)
        if text in self.poison:
            return SummaryRejected(reason="poison")
        return Summary(text=text, tokens=1, input_tokens=2, model=self.model)


class FlakyEmbedder(HashingEmbedder):
    """The stand-in, which can be taken away, refuse texts that hold a word, and tells how many it was asked for."""

    def __init__(self, *, down: bool = False, poison: str = "", model: str = "hashing@1") -> None:
        super().__init__(16, model)
        self.down, self.poison = down, poison
        self.calls: list[int] = []

    def embed_postings(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        assert deadline_s > 0
        self.calls.append(len(texts))
        if self.down:
            raise ModelUnavailable("the embedder is down", retry_after_s=0.0)
        made = super().embed_postings(texts, deadline_s)
        return [
            b"" if self.poison and self.poison in text else vector
            for text, vector in zip(texts, made, strict=True)
        ]


class TableRanker(Ranker):
    """Scores by posting title from a table that a test may change; refuses titles in `poison`, counts its calls."""

    model: str = "table@1"

    def __init__(self, scores: dict[str, float] | None = None, *, model: str = "table@1") -> None:
        self.scores = scores or {}
        self.poison: set[str] = set()
        self.model = model
        self.renamed: str | None = None
        self.calls: list[tuple[str, list[str]]] = []

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        assert deadline_s > 0
        titles = [item.title for item in items]
        self.calls.append((query, titles))
        self.model = self.renamed or self.model
        if self.poison & set(titles):
            raise ModelRejected("a poisonous item")
        return [self.scores.get(title, 0.9) for title in titles]
