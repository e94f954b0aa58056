"""Replace summaries of an older generation, or of texts that older rules cleaned, from the raw texts in the store.

With an embedder also give their vectors to the postings that have none, or one of another model.

A stream may write to the store meanwhile.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from models.embedder import Embedder
from models.prompts import is_textless, summarizer_input
from models.summarizer import Summarizer, Summary, SummaryRejected, SummaryUnavailable
from pipeline.embedding import VectorMaker
from pipeline.fold import generation_of, with_summary
from schemas.clean import TEXT_RULES
from schemas.errors import ModelRejected, ModelUnavailable, StoreError
from schemas.keys import text_hash
from schemas.merge import cleaned, is_current
from schemas.records import NEVER, FeatureRecord
from schemas.vectors import has_vector
from storage.features import FeatureStore, FeatureWrite, RawText

PROBE = summarizer_input("Night nurse", "Three nights a week on a surgical ward.")
#: Attempts for a posting that a stream changes between our read and our write.
ROUNDS = 10
_NOT_REFRESHED = "no summary of the generation asked for: the server answers with another, or the posting changes all the time"


def served_generation(summarizer: Summarizer, deadline_s: float) -> int:
    """The generation that the model server answers with, from one summary. Raises ModelUnavailable or ModelRejected."""
    answer = summarizer.summarize_many([PROBE], deadline_s)[0]
    if isinstance(answer, SummaryUnavailable):
        raise ModelUnavailable(answer.reason, retry_after_s=answer.retry_after_s)
    if isinstance(answer, SummaryRejected):
        raise ModelRejected(answer.reason)
    return generation_of(answer.model)


def served_embedder(embedder: Embedder, deadline_s: float) -> str:
    """The model that the embedder answers with, from one vector. Raises ModelUnavailable."""
    embedder.embed_postings([PROBE], deadline_s)
    return embedder.model


def is_old(record: FeatureRecord, generation: int, vector_model: str = "") -> bool:
    """Whether a posting's text was cleaned by older rules, has no summary, or one of an older generation.

    With `vector_model` also whether that model has not read its texts. Never true of a posting without content.
    """
    if record.content_version == NEVER:
        return False
    return (
        record.text_rules < TEXT_RULES
        or not is_current(record)
        or (record.model != "" and record.generation < generation)
        or _lacks_vector(record, vector_model)
    )


def _lacks_vector(record: FeatureRecord, vector_model: str) -> bool:
    return vector_model != "" and not (has_vector(record) and record.vector_model == vector_model)


class Refresher:
    """Refreshes postings in rounds, each a bulk read, one call for the summaries and a bulk write.

    A further round takes the postings that another writer changed meanwhile.
    """

    def __init__(
        self,
        store: FeatureStore,
        summarizer: Summarizer,
        *,
        deadline_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        vectors: VectorMaker | None = None,
        vector_model: str = "",
    ) -> None:
        """`vectors` gives vectors to postings without one of `vector_model`, which it answers with; else none does."""
        self._store, self._summarizer = store, summarizer
        self._vectors, self._vector_model = vectors, vector_model if vectors else ""
        self._deadline_s, self._monotonic = deadline_s, monotonic

    def refresh(self, posting_ids: Sequence[str], generation: int) -> dict[str, FeatureRecord | str]:
        """Bring these postings' summaries to `generation` or a newer one; returns each record, or why that failed.

        Raises ModelUnavailable after writing the summaries and vectors that did arrive, StoreUnavailable or StoreFull.
        """
        deadline = self._monotonic() + self._deadline_s
        failed: dict[str, str] = {}
        waiting = list(dict.fromkeys(posting_ids))
        for _ in range(ROUNDS):
            old = self._old([i for i in waiting if i not in failed], generation)
            if not old:
                break
            failed |= self._round(old, generation, deadline)
            waiting = list(old)
        else:
            failed |= dict.fromkeys(self._old(waiting, generation), _NOT_REFRESHED)
        records = zip(posting_ids, self._store.get_many(posting_ids), strict=True)
        return {i: failed.get(i) or record for i, record in records if record is not None}

    def _old(self, posting_ids: Sequence[str], generation: int) -> dict[str, tuple[bytes, FeatureRecord]]:
        """The stored bytes and records of those postings whose summary or vector is old."""
        held = zip(
            posting_ids, self._store.read_raw(posting_ids), self._store.get_many(posting_ids), strict=True
        )
        return {
            i: (raw, record)
            for i, raw, record in held
            if raw is not None and record is not None and is_old(record, generation, self._vector_model)
        }

    def _round(
        self, old: Mapping[str, tuple[bytes, FeatureRecord]], generation: int, deadline: float
    ) -> dict[str, str]:
        texts = self._inputs(old)
        if not texts:
            return dict.fromkeys(old, "the store holds no text of this posting's content")
        old = {i: (old[i][0], _by_todays_rules(old[i][1], text)) for i, text in texts.items()}
        # where cleaning alone was missing, or the vector, the summary fits as before
        ready = {i: kept for i, kept in old.items() if not is_old(kept[1], generation)}
        failed = self._write(ready)
        return failed | self._summarize(old, {i: texts[i] for i in old if i not in ready}, deadline)

    def _summarize(
        self, old: Mapping[str, tuple[bytes, FeatureRecord]], texts: Mapping[str, str], deadline: float
    ) -> dict[str, str]:
        if not texts:
            return {}
        inputs = list(dict.fromkeys(texts.values()))
        answers = self._summarizer.summarize_many(inputs, max(0.0, deadline - self._monotonic()))
        by_input = dict(zip(inputs, answers, strict=True))
        failed = self._write(
            {
                i: (old[i][0], with_summary(old[i][1], answer))
                for i, text in texts.items()
                if isinstance(answer := by_input[text], Summary)
            }
        )
        failed |= {
            i: f"summarizer: {answer.reason}"
            for i, text in texts.items()
            if isinstance(answer := by_input[text], SummaryRejected)
        }
        outages = [answer for answer in answers if isinstance(answer, SummaryUnavailable)]
        if outages:
            raise ModelUnavailable(outages[0].reason, retry_after_s=outages[0].retry_after_s)
        return failed

    def _inputs(self, old: Mapping[str, tuple[bytes, FeatureRecord]]) -> dict[str, str]:
        """The summarizer's input of each posting; left out where the stored text is not the record's own.

        Then another writer has just replaced one of the two, and the next round reads both again.
        """
        inputs = {}
        for (i, (_, record)), text in zip(old.items(), self._store.texts(list(old)), strict=True):
            if text is not None and _is_of(
                text, made := summarizer_input(record.title, text.description), record
            ):
                inputs[i] = made
        return inputs

    def _write(self, made: Mapping[str, tuple[bytes, FeatureRecord]]) -> dict[str, str]:
        """Write records with their vectors; in an outage of the embedder, write them without and raise it."""
        outage: ModelUnavailable | None = None
        records = {i: record for i, (_, record) in made.items()}
        try:
            records |= self._embedded(records)
        except ModelUnavailable as error:
            outage = error
        writes = [FeatureWrite(posting_id=i, seen=made[i][0], record=record) for i, record in records.items()]
        results = self._store.merge_many(writes) if writes else []
        if outage is not None:
            raise outage
        return {
            write.posting_id: str(result)
            for write, result in zip(writes, results, strict=True)
            if isinstance(result, StoreError)
        }

    def _embedded(self, records: Mapping[str, FeatureRecord]) -> dict[str, FeatureRecord]:
        """Those records that lack a vector of the model, with it. Raises ModelUnavailable."""
        lacking = {i: record for i, record in records.items() if _lacks_vector(record, self._vector_model)}
        if self._vectors is None or not lacking:
            return {}
        made = self._vectors.make_many(list(lacking.values()), self._monotonic() + self._deadline_s)
        return dict(zip(lacking, made, strict=True))


def _is_of(text: RawText, made: str, record: FeatureRecord) -> bool:
    """Whether a stored text, from which the input `made` was made, is of the record's content.

    The hash in a record that older rules cleaned is of another input, so that version and owner's words must tell.
    """
    if record.text_rules < TEXT_RULES:
        return (text.content_version, text.content_hash) == (record.content_version, record.content_hash)
    return text_hash(made) == record.input_hash


def _by_todays_rules(record: FeatureRecord, text: str) -> FeatureRecord:
    if record.text_rules >= TEXT_RULES:
        return record
    return cleaned(record, text_hash(text), textless=is_textless(text))
