"""Histories of one posting, their fold with a summarizer, and their last record by docs/semantics.md#registers."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from schemas.clean import TEXT_RULES
from schemas.keys import content_hash, text_hash
from schemas.merge import delta, is_current, merge
from schemas.outcomes import assume_summarized, outcome
from schemas.records import NEVER, FeatureRecord, Op, Outcome, Posting, PostingUpdate, State
from schemas.vectors import embedded_hash, has_vector, with_vector

ID = "p"
CONTENT_OPS = (Op.ADD, Op.UPDATE, Op.REPOST, Op.OPEN)
RANK = [State.OPEN, State.CLOSED, State.REMOVED]

texts = st.sampled_from(["", "  ", "nights", "days", "nights and days"])
postings = st.builds(
    Posting,
    title=st.sampled_from(["Nurse", "Cook"]),
    salary=st.sampled_from([None, "10", "12"]),
    description=texts,
)


def _event(version: int, op: Op, posting: Posting, bare: bool) -> PostingUpdate:
    absent = op in {Op.CLOSE, Op.REMOVE} or (op is Op.OPEN and bare)
    return PostingUpdate(posting_id=ID, version=version, op=op, posting=None if absent else posting)


def listing(version: int, as_of: int, posting: Posting) -> PostingUpdate:
    """A row of a plain list, which says that the posting is open at `as_of`."""
    return PostingUpdate(posting_id=ID, version=version, op=Op.ADD, posting=posting, as_of=as_of)


written = st.builds(_event, st.integers(0, 7), st.sampled_from(Op), postings, st.booleans())
listed = st.builds(listing, st.integers(0, 7), st.integers(0, 9), postings)
events = written | listed
histories = st.lists(events, min_size=1, max_size=9)


def input_hash(update: PostingUpdate) -> bytes:
    """A hash like that of the summarizer's input: of the title, and the description without outer white space."""
    posting = update.posting
    return b"" if posting is None else text_hash(f"{posting.title}\n{posting.description.strip()}")


def summarized(record: FeatureRecord, generation: int = 1) -> FeatureRecord:
    """The record after a deterministic summarizer has summarized its text, and an embedder embedded that."""
    if is_current(record):
        return embedded(record)
    made = FeatureRecord(
        posting_id=record.posting_id,
        version=record.content_version,
        summary_version=record.content_version,
        summary_hash=record.input_hash,
        summary=f"{record.input_hash.hex()} by {generation}",
        summary_tokens=4,
        input_tokens=9,
        model=f"summarizer@{generation}",
        generation=generation,
    )
    return embedded(merge(record, made))


def embedded(record: FeatureRecord, model: str = "embedder@1") -> FeatureRecord:
    """The record after a deterministic embedder has read what is there to be read."""
    if has_vector(record) or record.content_version == NEVER:
        return record
    vector = embedded_hash(record, record.summary) + model.encode()
    return with_vector(record, vector, model, int(model[-1]))


def delta_of(update: PostingUpdate) -> FeatureRecord:
    """The registers that an update sets, as the pipeline asks for them."""
    textless = update.posting is not None and not update.posting.description.strip()
    return delta(update, input_hash(update), textless=textless)


def step(before: FeatureRecord | None, update: PostingUpdate) -> FeatureRecord:
    change = delta_of(update)
    return change if before is None else merge(before, change)


def fold(history: Sequence[PostingUpdate]) -> tuple[FeatureRecord, list[Outcome]]:
    """Fold events one by one, summarizing each text at once; the last record and all outcomes."""
    record: FeatureRecord | None = None
    outcomes = []
    for update in history:
        after = step(record, update)
        outcomes.append(outcome(record, update, after))
        record = summarized(after)
    assert record is not None
    return record, outcomes


def batch(
    record: FeatureRecord | None, updates: Sequence[PostingUpdate]
) -> tuple[FeatureRecord, list[Outcome]]:
    """Fold a batch without summarizing, as in an outage; outcomes as if its texts were summarized at its end."""
    counted, outcomes = record, []
    for update in updates:
        after = step(record, update)
        outcomes.append(outcome(counted, update, after))
        record, counted = after, assume_summarized(after)
    assert record is not None
    return record, outcomes


def _newest(history: Sequence[PostingUpdate], *ops: Op) -> int:
    """The newest event of these operations; rows of lists do not count."""
    return max([u.version for u in history if u.op in ops and u.as_of == NEVER], default=NEVER)


def expected(history: Sequence[PostingUpdate]) -> FeatureRecord:
    """The record by the definition of its registers, each a maximum over the set of events, without a fold."""
    states = {Op.CLOSE: State.CLOSED, Op.REMOVE: State.REMOVED}
    lives = [
        (u.version if u.as_of == NEVER else u.as_of, RANK.index(states.get(u.op, State.OPEN)))
        for u in history
        if u.op is not Op.UPDATE
    ]
    lifecycle, rank = max(lives, default=(NEVER, 0))
    removed, begun = _newest(history, Op.REMOVE), _newest(history, Op.ADD, Op.OPEN)
    ended, reposted = _newest(history, Op.CLOSE, Op.REMOVE), _newest(history, Op.REPOST)
    listed_again = RANK[rank] is State.OPEN and ended != NEVER and ended >= max(begun, reposted)
    record = FeatureRecord(
        posting_id=ID,
        version=lifecycle,
        state=RANK[rank],
        lifecycle_version=lifecycle,
        episode=ended + 1 if listed_again else begun,
        begun_version=begun,
        reposted_version=reposted,
        ended_version=ended,
        removed_version=removed,
    )
    contents = [
        (u.version, content_hash(u.posting), u)
        for u in history
        if u.posting is not None and u.op in CONTENT_OPS and u.version > removed
    ]
    if not contents:
        return record
    version, digest, update = max(contents, key=lambda each: each[:2])
    posting = update.posting
    assert posting is not None
    with_content = replace(
        record,
        version=max(record.version, version),
        content_version=version,
        content_hash=digest,
        title=posting.title,
        salary=posting.salary,
        input_hash=input_hash(update),
        text_rules=TEXT_RULES,
    )
    if posting.description.strip():
        return summarized(with_content)
    return summarized(replace(with_content, summary_version=version, summary_hash=with_content.input_hash))
