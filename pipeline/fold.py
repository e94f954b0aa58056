"""Fold a batch of updates over the stored records: gives the outcomes, the texts to summarize and what to write."""

from collections.abc import Sequence
from functools import lru_cache

from models.prompts import is_textless, summarizer_input
from models.summarizer import Summary, SummaryRejected
from schemas.codec import Codec
from schemas.compiled import constructor
from schemas.errors import DecodeError, EventError
from schemas.events import parse_line
from schemas.keys import text_hash
from schemas.merge import delta, is_current, merge
from schemas.outcomes import assume_summarized, outcome, reason
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate, Reason, State
from schemas.times import iso
from schemas.vectors import NO_VECTOR, has_vector
from storage.features import FeatureStore, FeatureWrite, RawText

_NEEDS_POSTING = frozenset((Op.ADD, Op.UPDATE, Op.REPOST))
_record = constructor(FeatureRecord)
_raw_text = constructor(RawText)
_feature_write = constructor(FeatureWrite)
_NO_CONTENT = frozenset((Op.CLOSE, Op.REMOVE))


class FoldedPosting:
    """One posting of a batch: its stored record, its record after the rows folded so far, and those rows."""

    __slots__ = (
        "before", "content_rows", "failure", "input_text", "posting_id", "record", "rows", "seen",
        "stored", "summarizer_row", "summary_assumed", "text", "waits",
    )  # fmt: skip

    def __init__(self, posting_id: str, seen: bytes | None) -> None:
        self.posting_id = posting_id
        self.seen = seen
        self.before: FeatureRecord | None = None
        self.record: FeatureRecord | None = None
        self.rows: list[int] = []
        # the rows that brought the newest content, the summarizer's input of it, and its raw text
        self.content_rows: list[int] = []
        self.input_text = ""
        self.text: RawText | None = None
        # whether an earlier row of this batch has the outcome `summarized`, although the summary is made at the end
        self.summary_assumed = False
        self.summarizer_row = -1
        self.stored = seen or b""
        self.failure: str | None = None
        # whether the summary of its newest text is missing, so that its rows have no outcome yet
        self.waits = False

    def take_answer(self, answer: Summary | SummaryRejected) -> None:
        """Put the summary of `input_text` into the record, or note that it was rejected."""
        if isinstance(answer, SummaryRejected):
            self.failure = f"summarizer: {answer.reason}"
        elif self.record is not None:
            self.record = with_summary(self.record, answer)

    def wants_vector(self) -> bool:
        """Whether its texts are complete and no embedder has read them; a closed posting's only if they are new."""
        record = self.record
        if record is None or self.failure is not None or self.waits or record.content_version == NEVER:
            return False
        matters = record.state is State.OPEN or bool(self.content_rows)
        return matters and is_current(record) and not has_vector(record)

    def write(self) -> FeatureWrite | None:
        """What to write; None if the record did not change or the rows are reprocessed one at a time."""
        if self.record is None or self.record == self.before or self.needs_single_rows():
            return None
        return _feature_write(posting_id=self.posting_id, seen=self.seen, record=self.record, text=self.text)

    def needs_single_rows(self) -> bool:
        """Whether the posting failed and has several rows, so that only one at a time they show which is at fault."""
        return self.failure is not None and len(self.rows) > 1


class Fold:
    """Folds rows one by one in arrival order, so that outcomes do not depend on how rows are cut into batches.

    `postings`: the batch's postings by id. For each row: `posting_of` (None: not decodable), `outcomes`, `reasons` of
    dead letters, and why its posting may alert now (`alert_reasons`).
    """

    def __init__(
        self, codec: Codec, store: FeatureStore, values: Sequence[bytes | PostingUpdate], latest: int
    ) -> None:
        """Decode the rows, read their postings in one call and fold; raises StoreUnavailable.

        `latest`: the highest version that is taken; a row with a higher one is a dead letter.
        """
        self.outcomes: list[Outcome] = [Outcome.DEAD_LETTERS] * len(values)
        self.reasons: list[str | None] = [None] * len(values)
        self.alert_reasons: list[Reason] = [Reason.UNKNOWN] * len(values)
        self.posting_of: list[FoldedPosting | None] = [None] * len(values)
        updates = [read_update(codec, value, latest) for value in values]
        ids = dict.fromkeys(update.posting_id for update in updates if not isinstance(update, str))
        held = store.read_raw(list(ids))
        self.postings = {
            posting_id: _begin(codec, posting_id, seen) for posting_id, seen in zip(ids, held, strict=True)
        }
        for i, update in enumerate(updates):
            if isinstance(update, str):
                self.reasons[i] = update
            else:
                posting = self.posting_of[i] = self.postings[update.posting_id]
                posting.rows.append(i)
                if posting.failure is None:
                    before = posting.record
                    self.outcomes[i] = _step(posting, update, i)
                    if posting.record is not None:
                        self.alert_reasons[i] = reason(before, update, posting.record)

    def without_summary(self) -> dict[bytes, list[FoldedPosting]]:
        """Postings whose newest text came with this batch and has no summary yet; by the hash of that text.

        A stored text without summary, left by an earlier outage, is not among them: its row's offset was not
        committed, so that row comes again.
        """
        found: dict[bytes, list[FoldedPosting]] = {}
        for posting in self.postings.values():
            record = posting.record
            if posting.content_rows and record is not None and not is_current(record):
                found.setdefault(record.input_hash, []).append(posting)
        return found


def read_update(codec: Codec, value: bytes | PostingUpdate, latest: int) -> PostingUpdate | str:
    """Decode and check an update; for a dead letter, returns the reason as text."""
    try:
        update = codec.decode(PostingUpdate, value) if isinstance(value, bytes) else value
    except DecodeError as error:
        return f"{error}{_as_line(value)}" if isinstance(value, bytes) else str(error)
    if not update.posting_id:
        return "posting_id is empty"
    if update.version < 0:
        return f"version {update.version} is negative"
    if (newest := max(update.version, update.as_of)) > latest:
        return (
            f"its time, {iso(newest)}, is further in the future than max_ahead_s allows: until {iso(latest)}"
        )
    if update.posting is None and update.op in _NEEDS_POSTING:
        return f"op {update.op} needs a posting"
    return update


def _as_line(value: bytes) -> str:
    """What is wrong with bytes that are a line of JSON, as a replay sends one that is no event."""
    if not value.startswith(b"{"):
        return ""
    try:
        parse_line(value)
    except EventError as error:
        return f"; as a line of JSON: {error}"
    return "; it is a line of JSON, which `nearline replay` turns into an update"


def with_summary(record: FeatureRecord, summary: Summary) -> FeatureRecord:
    """Fast path of `merge` for the commonest case: a record without summary receives the summary of its text.

    The generation is read from the name of the model that answered. A vector of another summary is dropped.
    """
    vector = record if summary.text == record.summary else NO_VECTOR
    return _record(
        posting_id=record.posting_id,
        version=record.version,
        state=record.state,
        lifecycle_version=record.lifecycle_version,
        episode=record.episode,
        begun_version=record.begun_version,
        reposted_version=record.reposted_version,
        ended_version=record.ended_version,
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
        text_rules=record.text_rules,
        summary_version=record.content_version,
        summary_hash=record.input_hash,
        summary=summary.text,
        summary_tokens=summary.tokens,
        input_tokens=summary.input_tokens,
        model=summary.model,
        generation=generation_of(summary.model),
        vector=vector.vector,
        vector_hash=vector.vector_hash,
        vector_model=vector.vector_model,
        vector_generation=vector.vector_generation,
    )


@lru_cache(maxsize=64)
def generation_of(model: str) -> int:
    """`summarizer@7` is generation 7; a name without a number is generation 0."""
    number = model.rpartition("@")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _begin(codec: Codec, posting_id: str, seen: bytes | None) -> FoldedPosting:
    posting = FoldedPosting(posting_id, seen)
    if seen is not None:
        try:
            posting.before = posting.record = codec.decode(FeatureRecord, seen)
        except DecodeError as error:
            posting.failure = f"the store's record of {posting_id!r} cannot be read: {error}"
    return posting


def _step(posting: FoldedPosting, update: PostingUpdate, row: int) -> Outcome:
    """Fold one update into its posting."""
    content = None if update.op in _NO_CONTENT else update.posting
    text = "" if content is None else summarizer_input(content.title, content.description)
    change = delta(update, b"" if content is None else text_hash(text), textless=is_textless(text))
    before = posting.record
    after = posting.record = change if before is None else merge(before, change)
    if content is not None:
        version, content_hash = after.content_version, after.content_hash
        if version == change.content_version and content_hash == change.content_hash:
            if posting.text is None or posting.text.content_version != version:
                posting.content_rows.clear()
            posting.content_rows.append(row)
            posting.input_text = text
            posting.text = _raw_text(
                content_version=version, content_hash=content_hash, description=content.description
            )
    elif update.op is Op.REMOVE and after.content_version == NEVER:
        posting.content_rows.clear()
        posting.text = RawText(content_version=after.removed_version, removed=True)
    if before is not None and posting.summary_assumed:
        before = assume_summarized(before)
    result = outcome(before, update, after)
    posting.summary_assumed = posting.summary_assumed or result is Outcome.SUMMARIZED
    return result
