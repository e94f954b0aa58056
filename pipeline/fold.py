"""The fold of one batch of updates over what the store holds: outcomes, and what is left to summarize and write."""

from collections.abc import Sequence
from functools import lru_cache

from models.prompts import summarizer_input
from models.summarizer import Rejected, Summary
from schemas.codec import Codec
from schemas.compiled import constructor
from schemas.errors import DecodeError
from schemas.keys import text_hash
from schemas.merge import delta, is_current, merge, outcome, promised
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate
from storage.features import FeatureStore, FeatureWrite, RawText

_NEEDS_POSTING = frozenset((Op.ADD, Op.UPDATE, Op.REPOST))
_record = constructor(FeatureRecord)
_raw_text = constructor(RawText)
_feature_write = constructor(FeatureWrite)
_NO_CONTENT = frozenset((Op.CLOSE, Op.REMOVE))


class Work:
    """One posting of a batch: what the store held, the fold's record so far, and which rows made it."""

    __slots__ = (
        "before", "content_rows", "failure", "input_text", "posting_id", "promised", "record", "rows", "seen",
        "stored", "summarizer_row", "text",
    )  # fmt: skip

    def __init__(self, posting_id: str, seen: bytes | None) -> None:
        self.posting_id = posting_id
        self.seen = seen
        self.before: FeatureRecord | None = None
        self.record: FeatureRecord | None = None
        self.rows: list[int] = []
        # the rows that brought the content that won, what the summarizer reads of it, and its raw text
        self.content_rows: list[int] = []
        self.input_text = ""
        self.text: RawText | None = None
        # an earlier row of this batch has had its text counted as summarized
        self.promised = False
        self.summarizer_row = -1
        self.stored = seen or b""
        self.failure: str | None = None

    def answered(self, answer: Summary | Rejected) -> None:
        """Take in what the summarizer said about `input_text`."""
        if isinstance(answer, Rejected):
            self.failure = f"summarizer: {answer.reason}"
        elif self.record is not None:
            self.record = with_summary(self.record, answer)

    def write(self) -> FeatureWrite | None:
        """What there is to write; nothing where the record stays or the rows go apart."""
        if self.record is None or self.record == self.before or self.apart():
            return None
        return _feature_write(posting_id=self.posting_id, seen=self.seen, record=self.record, text=self.text)

    def apart(self) -> bool:
        """Whether one of several rows spoils the others, so that each has to go by itself."""
        return self.failure is not None and len(self.rows) > 1


class Fold:
    """Rows folded one by one in arrival order, so that outcomes are those of any other cut into batches.

    `works`: the batch's postings by id; per row, `work` (None: undecodable), `outcomes` and `reasons`.
    """

    def __init__(self, codec: Codec, store: FeatureStore, values: Sequence[bytes | PostingUpdate]) -> None:
        """One bulk read; raises StoreUnavailable."""
        self.outcomes: list[Outcome] = [Outcome.DEAD_LETTERS] * len(values)
        self.reasons: list[str | None] = [None] * len(values)
        self.work: list[Work | None] = [None] * len(values)
        updates = [read_update(codec, value) for value in values]
        ids = dict.fromkeys(update.posting_id for update in updates if not isinstance(update, str))
        held = store.read_raw(list(ids))
        self.works = {
            posting_id: _begin(codec, posting_id, seen) for posting_id, seen in zip(ids, held, strict=True)
        }
        for i, update in enumerate(updates):
            if isinstance(update, str):
                self.reasons[i] = update
            else:
                work = self.work[i] = self.works[update.posting_id]
                work.rows.append(i)
                if work.failure is None:
                    self.outcomes[i] = _step(work, update, i)

    def waiting(self) -> dict[bytes, list[Work]]:
        """Postings whose winning text, brought by this batch, has no summary yet; by the hash of that text.

        A text that waits since an earlier outage comes again itself: its offset was never committed.
        """
        found: dict[bytes, list[Work]] = {}
        for work in self.works.values():
            record = work.record
            if work.content_rows and record is not None and not is_current(record):
                found.setdefault(record.input_hash, []).append(work)
        return found


def read_update(codec: Codec, value: bytes | PostingUpdate) -> PostingUpdate | str:
    """The update, or why it or its bytes are a dead letter."""
    try:
        update = codec.decode(PostingUpdate, value) if isinstance(value, bytes) else value
    except DecodeError as error:
        return str(error)
    if not update.posting_id:
        return "posting_id is empty"
    if update.version < 0:
        return f"version {update.version} is negative"
    if update.posting is None and update.op in _NEEDS_POSTING:
        return f"op {update.op} needs a posting"
    return update


def with_summary(record: FeatureRecord, summary: Summary) -> FeatureRecord:
    """Fast path of `merge` for the commonest case: a record that waits for its summary gets it.

    The generation is read from the model's name in the answer.
    """
    return _record(
        posting_id=record.posting_id,
        version=record.version,
        state=record.state,
        lifecycle_version=record.lifecycle_version,
        episode=record.episode,
        removed_version=record.removed_version,
        content_version=record.content_version,
        content_hash=record.content_hash,
        title=record.title,
        company=record.company,
        location=record.location,
        employment_type=record.employment_type,
        remote=record.remote,
        salary=record.salary,
        input_hash=record.input_hash,
        summary_version=record.content_version,
        summary_hash=record.input_hash,
        summary=summary.text,
        summary_tokens=summary.tokens,
        input_tokens=summary.input_tokens,
        model=summary.model,
        generation=generation_of(summary.model),
    )


@lru_cache(maxsize=64)
def generation_of(model: str) -> int:
    """`summarizer@7` is generation 7; a name without a number is generation 0."""
    number = model.rpartition("@")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _begin(codec: Codec, posting_id: str, seen: bytes | None) -> Work:
    work = Work(posting_id, seen)
    if seen is not None:
        try:
            work.before = work.record = codec.decode(FeatureRecord, seen)
        except DecodeError as error:
            work.failure = f"the store's record of {posting_id!r} cannot be read: {error}"
    return work


def _step(work: Work, update: PostingUpdate, row: int) -> Outcome:
    """Fold one update into its posting."""
    posting = None if update.op in _NO_CONTENT else update.posting
    text = "" if posting is None else summarizer_input(posting.title, posting.description)
    change = delta(update, b"" if posting is None else text_hash(text))
    before = work.record
    after = work.record = change if before is None else merge(before, change)
    if posting is not None:
        version, content_hash = after.content_version, after.content_hash
        if version == change.content_version and content_hash == change.content_hash:
            if work.text is None or work.text.content_version != version:
                work.content_rows.clear()
            work.content_rows.append(row)
            work.input_text = text
            work.text = _raw_text(
                content_version=version, content_hash=content_hash, description=posting.description
            )
    elif update.op is Op.REMOVE and after.content_version == NEVER:
        work.content_rows.clear()
        work.text = RawText(content_version=after.removed_version, removed=True)
    result = outcome(promised(before) if before is not None and work.promised else before, update, after)
    work.promised = work.promised or result is Outcome.SUMMARIZED
    return result
