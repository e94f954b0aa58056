"""Give records their vectors, so that an embedder which is away keeps no batch from being written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from models.embedder import Embedder
from models.prompts import embedder_input
from pipeline.fold import generation_of
from pipeline.scoring.items import item_of
from schemas.backoff import Backoff
from schemas.errors import ModelUnavailable
from schemas.records import FeatureRecord
from schemas.vectors import with_vector

log = logging.getLogger(__name__)

CALL_S = 10.0
"""Longest time of one call: what a batch waits for an embedder that takes requests and answers none."""
CALL_TEXTS = 32
"""Texts of one call, so that a slow embedder's answers are kept although the batch's time ends."""
PAUSES = Backoff(first_s=1.0, longest_s=60.0)
"""The waits after one, two, ... failed calls, during which records are written without a vector at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorCounts:
    """Records since the start: `made` a vector for, with texts that the model `refused`, `missed` in outages."""

    made: int = 0
    refused: int = 0
    missed: int = 0


VECTOR_COUNTS = tuple(field.name for field in fields(VectorCounts))


class VectorMaker:
    """Embeds records; used by one thread."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        pauses: Backoff = PAUSES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder, self._pauses, self._monotonic = embedder, pauses, monotonic
        self._failures, self._resumes_at = 0, -float("inf")
        self.counts = VectorCounts()

    def fill(self, records: Sequence[FeatureRecord], deadline: float) -> list[FeatureRecord]:
        """Return the records with their vectors, as they were from the first call on that gets no answer.

        `deadline`: monotonic time by which all calls end; the first one has CALL_S in any case, since a slow summarizer
        may have used up the batch's time. After a failed call the embedder is left alone for a while.
        """
        made: list[FeatureRecord] = []
        deadline = max(deadline, self._monotonic() + CALL_S)
        while len(made) < len(records) and self._monotonic() >= self._resumes_at:
            try:
                made += self.make(records[len(made) : len(made) + CALL_TEXTS], deadline)
            except ModelUnavailable as error:
                self._failed(error)
        self._count(missed=len(records) - len(made))
        return [*made, *records[len(made) :]]

    def make_many(self, records: Sequence[FeatureRecord], deadline: float) -> list[FeatureRecord]:
        """Return all records with their vectors, from as many calls as that takes; raises ModelUnavailable."""
        starts = range(0, len(records), CALL_TEXTS)
        parts = [self.make(records[start : start + CALL_TEXTS], deadline) for start in starts]
        return [record for part in parts for record in part]

    def make(self, records: Sequence[FeatureRecord], deadline: float) -> list[FeatureRecord]:
        """Return the records with their vectors from one call; raises ModelUnavailable."""
        texts = [embedder_input(item_of(record)) for record in records]
        new = list(dict.fromkeys(texts))
        left_s = min(CALL_S, deadline - self._monotonic())
        if left_s <= 0:
            raise ModelUnavailable("no time is left for vectors before the batch's deadline")
        vectors = dict(zip(new, self._embedder.embed_postings(new, left_s), strict=True))
        self._answered()
        model = self._embedder.model
        made = [
            with_vector(record, vectors[text], model, generation_of(model))
            for record, text in zip(records, texts, strict=True)
        ]
        refused = sum(not record.vector for record in made)
        self._count(made=len(made) - refused, refused=refused)
        return made

    def _failed(self, error: ModelUnavailable) -> None:
        self._failures += 1
        pause_s = max(error.retry_after_s, self._pauses.wait_s(self._failures))
        self._resumes_at = self._monotonic() + pause_s
        told = log.warning if self._failures == 1 else log.debug
        told("no vectors, postings are matched by their words alone: %s; again in %.0f s", error, pause_s)

    def _answered(self) -> None:
        if self._failures:
            log.warning("the embedder answers again; a refresh fills in the vectors that are missing")
        self._failures = 0

    def _count(self, *, made: int = 0, refused: int = 0, missed: int = 0) -> None:
        now = self.counts
        self.counts = replace(
            now, made=now.made + made, refused=now.refused + refused, missed=now.missed + missed
        )
