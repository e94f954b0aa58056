"""Summaries of an older generation made anew from the texts that the store holds, whatever else writes meanwhile."""

import time
from collections.abc import Callable, Mapping, Sequence

from models.prompts import summarizer_input
from models.summarizer import Rejected, Summarizer, Summary, Unavailable
from pipeline.fold import generation_of, with_summary
from schemas.errors import ModelRejected, ModelUnavailable, StoreError
from schemas.keys import text_hash
from schemas.merge import is_current
from schemas.records import NEVER, FeatureRecord
from storage.features import FeatureStore, FeatureWrite

PROBE = summarizer_input("Night nurse", "Three nights a week on a surgical ward.")
#: A stream that writes a posting between our read and our write is met again in the next round.
ROUNDS = 10
_STUBBORN = "no summary of the generation asked for: the server answers with another, or the posting changes all the time"


def served_generation(summarizer: Summarizer, deadline_s: float) -> int:
    """The generation that answers now, by asking for one summary. Raises ModelUnavailable, or ModelRejected."""
    answer = summarizer.summarize_many([PROBE], deadline_s)[0]
    if isinstance(answer, Unavailable):
        raise ModelUnavailable(answer.reason, retry_after_s=answer.retry_after_s)
    if isinstance(answer, Rejected):
        raise ModelRejected(answer.reason)
    return generation_of(answer.model)


def is_old(record: FeatureRecord, generation: int) -> bool:
    """Whether a posting's text waits for a summary, or has one of an older generation; without a text it needs none."""
    if record.content_version == NEVER:
        return False
    return not is_current(record) or (record.model != "" and record.generation < generation)


class Refresher:
    """Read records and texts in bulk, summarize in one call, write in bulk; repeat for what changed meanwhile."""

    def __init__(
        self,
        store: FeatureStore,
        summarizer: Summarizer,
        *,
        deadline_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._summarizer = store, summarizer
        self._deadline_s, self._monotonic = deadline_s, monotonic

    def refresh(self, posting_ids: Sequence[str], generation: int) -> dict[str, FeatureRecord | str]:
        """Bring these postings' summaries to `generation` or a newer one: each one's record then, or why it cannot be.

        Raises ModelUnavailable after writing all that did arrive, StoreUnavailable or StoreFull.
        """
        deadline = self._monotonic() + self._deadline_s
        failed: dict[str, str] = {}
        waiting = list(dict.fromkeys(posting_ids))
        for _ in range(ROUNDS):
            old = self._old([i for i in waiting if i not in failed], generation)
            if not old:
                break
            failed |= self._round(old, deadline)
            waiting = list(old)
        else:
            failed |= dict.fromkeys(self._old(waiting, generation), _STUBBORN)
        records = zip(posting_ids, self._store.get_many(posting_ids), strict=True)
        return {i: failed.get(i) or record for i, record in records if record is not None}

    def _old(self, posting_ids: Sequence[str], generation: int) -> dict[str, tuple[bytes, FeatureRecord]]:
        """What the store holds of those that are old."""
        held = zip(
            posting_ids, self._store.read_raw(posting_ids), self._store.get_many(posting_ids), strict=True
        )
        return {
            i: (raw, record)
            for i, raw, record in held
            if raw is not None and record is not None and is_old(record, generation)
        }

    def _round(self, old: Mapping[str, tuple[bytes, FeatureRecord]], deadline: float) -> dict[str, str]:
        texts = self._inputs(old)
        if not texts:
            return dict.fromkeys(old, "the store holds no text of this posting's content")
        inputs = list(dict.fromkeys(texts.values()))
        answers = self._summarizer.summarize_many(inputs, max(0.0, deadline - self._monotonic()))
        by_input = dict(zip(inputs, answers, strict=True))
        failed = self._write(
            {
                i: (old[i], answer)
                for i, text in texts.items()
                if isinstance(answer := by_input[text], Summary)
            }
        )
        failed |= {
            i: f"summarizer: {answer.reason}"
            for i, text in texts.items()
            if isinstance(answer := by_input[text], Rejected)
        }
        outages = [answer for answer in answers if isinstance(answer, Unavailable)]
        if outages:
            raise ModelUnavailable(outages[0].reason, retry_after_s=outages[0].retry_after_s)
        return failed

    def _inputs(self, old: Mapping[str, tuple[bytes, FeatureRecord]]) -> dict[str, str]:
        """What the summarizer reads of each; a text that is not the record's own is being replaced, and left out."""
        found = zip(old.items(), self._store.texts(list(old)), strict=True)
        inputs = {
            i: summarizer_input(record.title, text.description)
            for (i, (_, record)), text in found
            if text is not None
        }
        return {i: text for i, text in inputs.items() if text_hash(text) == old[i][1].input_hash}

    def _write(self, made: Mapping[str, tuple[tuple[bytes, FeatureRecord], Summary]]) -> dict[str, str]:
        writes = [
            FeatureWrite(posting_id=i, seen=raw, record=with_summary(record, summary))
            for i, ((raw, record), summary) in made.items()
        ]
        results = self._store.merge_many(writes) if writes else []
        return {
            write.posting_id: str(result)
            for write, result in zip(writes, results, strict=True)
            if isinstance(result, StoreError)
        }
