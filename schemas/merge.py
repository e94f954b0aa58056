"""A posting's record as a merge of registers, each the maximum over versions (docs/semantics.md#registers).

| register | ordered by |
|---|---|
| content | content_version, text_rules, content_hash |
| lifecycle | lifecycle_version, then open < closed < removed |
| begun_version, reposted_version, ended_version | themselves |
| removed_version | itself; content and summary at or below it are erased |
| summary | (summary_version, generation) among the summaries of the winning text |
| vector | vector_generation among the vectors of the texts that won (`schemas/vectors.py`) |

`episode` is no register: it is derived from the registers (`schemas/openings.py`), because rows of plain lists must not
begin an opening where one lasts, and the first row after a close is not known while older rows may still come.

Everything that changes a record goes through `merge`, so order, duplication and replay cannot matter.
"""

from dataclasses import replace

from schemas.clean import TEXT_RULES, clean
from schemas.compiled import constructor
from schemas.keys import content_hash
from schemas.openings import begun_at, ended_at, episode_of, is_listed
from schemas.records import NEVER, FeatureRecord, Op, PostingUpdate, State
from schemas.vectors import vector_of, without_old_vector

_RANK = {State.OPEN: 0, State.CLOSED: 1, State.REMOVED: 2}
_record = constructor(FeatureRecord)


def delta(update: PostingUpdate, input_hash: bytes, *, textless: bool = False) -> FeatureRecord:
    """The registers that one update sets; `input_hash` (over the summarizer's input) is ignored without a posting.

    Texts are cleaned (`schemas.clean`). With `textless`, of a description that shows no text, no summary is needed:
    the empty one is set, generation 0.
    Raises ValueError for an add, update or repost without a posting.
    """
    version, op, posting, as_of = update.version, update.op, update.posting, update.as_of
    if posting is None and op in {Op.ADD, Op.UPDATE, Op.REPOST}:
        raise ValueError(f"{op} of {update.posting_id!r} has no posting")
    listed = is_listed(update)
    state, lifecycle = State.OPEN, as_of if listed else version
    if op is Op.CLOSE:
        state = State.CLOSED
    elif op is Op.REMOVE:
        state = State.REMOVED
    elif op is Op.UPDATE:
        lifecycle = NEVER
    begun = version if op is Op.OPEN or (op is Op.ADD and not listed) else NEVER
    reposted = version if op is Op.REPOST else NEVER
    ended = version if op is Op.CLOSE or op is Op.REMOVE else NEVER
    removed = version if op is Op.REMOVE else NEVER
    if posting is None or op is Op.CLOSE or op is Op.REMOVE:
        return _record(
            posting_id=update.posting_id,
            version=version,
            state=state,
            lifecycle_version=lifecycle,
            episode=begun,
            begun_version=begun,
            reposted_version=reposted,
            ended_version=ended,
            removed_version=removed,
        )
    return _record(
        posting_id=update.posting_id,
        version=max(version, lifecycle),
        state=state,
        lifecycle_version=lifecycle,
        episode=begun,
        begun_version=begun,
        reposted_version=reposted,
        ended_version=ended,
        removed_version=removed,
        content_version=version,
        content_hash=content_hash(posting),
        title=clean(posting.title),
        company=_label(posting.company),
        location=_label(posting.location),
        employment_type=_label(posting.employment_type),
        remote=_label(posting.remote),
        salary=_label(posting.salary),
        input_hash=input_hash,
        text_rules=TEXT_RULES,
        summary_version=version if textless else NEVER,
        summary_hash=input_hash if textless else b"",
    )


def merge(a: FeatureRecord, b: FeatureRecord) -> FeatureRecord:
    """Merge two records of one posting, register by register; raises ValueError for two different postings.

    Commutative and idempotent. Associative too, except in the summary of a record whose text is not summarized yet, and
    in vectors: one whose texts lose is dropped, also if the same texts win later.
    """
    if a.posting_id != b.posting_id:
        raise ValueError(f"cannot merge {a.posting_id!r} with {b.posting_id!r}")
    life = a if _lifecycle(a) >= _lifecycle(b) else b
    removed = max(a.removed_version, b.removed_version)
    begun, ended = max(begun_at(a), begun_at(b)), max(ended_at(a), ended_at(b))
    reposted = max(a.reposted_version, b.reposted_version)
    episode = episode_of(life.state, begun, reposted, ended)
    content = a if content_order(a) >= content_order(b) else b
    if content.content_version <= removed:
        return _record(
            posting_id=a.posting_id,
            version=max(life.lifecycle_version, episode, removed),
            state=life.state,
            lifecycle_version=life.lifecycle_version,
            episode=episode,
            begun_version=begun,
            reposted_version=reposted,
            ended_version=ended,
            removed_version=removed,
        )
    text_hash, content_version = content.input_hash, content.content_version
    summary = a if _summary(a, text_hash) >= _summary(b, text_hash) else b
    summary_version = summary.summary_version
    if summary_version <= removed:
        summary, summary_version = _blank(a.posting_id), NEVER
    elif summary.summary_hash == text_hash and summary_version < content_version:
        summary_version = content_version  # newer content with the same text keeps the summary
    vector = vector_of(a, b, content, summary.summary)
    return _record(
        posting_id=a.posting_id,
        version=max(life.lifecycle_version, episode, removed, content_version),
        state=life.state,
        lifecycle_version=life.lifecycle_version,
        episode=episode,
        begun_version=begun,
        reposted_version=reposted,
        ended_version=ended,
        removed_version=removed,
        content_version=content_version,
        content_hash=content.content_hash,
        title=content.title,
        company=content.company,
        location=content.location,
        employment_type=content.employment_type,
        remote=content.remote,
        salary=content.salary,
        input_hash=text_hash,
        text_rules=content.text_rules,
        summary_version=summary_version,
        summary_hash=summary.summary_hash,
        summary=summary.summary,
        summary_tokens=summary.summary_tokens,
        input_tokens=summary.input_tokens,
        model=summary.model,
        generation=summary.generation,
        vector=vector.vector,
        vector_hash=vector.vector_hash,
        vector_model=vector.vector_model,
        vector_generation=vector.vector_generation,
    )


def renewed(record: FeatureRecord) -> FeatureRecord:
    """The record with the registers that older versions of the format did not have, as far as they follow from it."""
    return replace(record, begun_version=begun_at(record), ended_version=ended_at(record))


def cleaned(record: FeatureRecord, input_hash: bytes, *, textless: bool) -> FeatureRecord:
    """A stored record whose texts older rules cleaned, by today's rules; its summary and vector stay if they fit."""
    blank = _blank(record.posting_id) if textless else record
    made = replace(
        record,
        title=clean(record.title),
        company=_label(record.company),
        location=_label(record.location),
        employment_type=_label(record.employment_type),
        remote=_label(record.remote),
        salary=_label(record.salary),
        input_hash=input_hash,
        text_rules=TEXT_RULES,
        summary_version=record.content_version if textless else record.summary_version,
        summary_hash=input_hash if textless else record.summary_hash,
        summary=blank.summary,
        summary_tokens=blank.summary_tokens,
        input_tokens=blank.input_tokens,
        model=blank.model,
        generation=blank.generation,
    )
    return without_old_vector(made)


def is_current(record: FeatureRecord) -> bool:
    """Whether the summary is of the text that the record now has (true of a record without content)."""
    return record.summary_hash == record.input_hash


def content_order(record: FeatureRecord) -> tuple[int, int, bytes, bytes]:
    """By what the contents of two records are compared: the greater one wins."""
    return record.content_version, record.text_rules, record.content_hash, record.input_hash


def _label(text: str | None) -> str | None:
    return (clean(text) or None) if text else None


def _lifecycle(record: FeatureRecord) -> tuple[int, int]:
    return record.lifecycle_version, _RANK[record.state]


def _summary(record: FeatureRecord, text_hash: bytes) -> tuple[bool, int, int, bytes, str, str, int, int]:
    return (
        record.summary_hash == text_hash,
        record.summary_version,
        record.generation,
        record.summary_hash,
        record.summary,
        record.model,
        record.summary_tokens,
        record.input_tokens,
    )


def _blank(posting_id: str) -> FeatureRecord:
    return FeatureRecord(posting_id=posting_id, version=NEVER)
