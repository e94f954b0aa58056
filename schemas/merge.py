"""A posting's record as a merge of registers, each the maximum over versions (docs/semantics.md#registers).

| register | ordered by |
|---|---|
| content | content_version, text_rules, content_hash |
| lifecycle | lifecycle_version, then open < closed < removed |
| episode | itself |
| removed_version | itself; content and summary at or below it are erased |
| summary | (summary_version, generation) among the summaries of the winning text |

Everything that changes a record goes through `merge`, so order, duplication and replay cannot matter.
"""

from dataclasses import replace

from schemas.compiled import constructor
from schemas.keys import content_hash
from schemas.plain import TEXT_RULES, plain
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate, State

_RANK = {State.OPEN: 0, State.CLOSED: 1, State.REMOVED: 2}
_record = constructor(FeatureRecord)
_EPISODES = (Op.ADD, Op.OPEN)
_REOPENING = (Op.OPEN, Op.REPOST)
#: The outcome when the content stayed and another register advanced. `update` is missing: it sets no register but
#: content.
_ADVANCED = {
    Op.ADD: Outcome.METADATA_ONLY,
    Op.REPOST: Outcome.REOPENED,
    Op.OPEN: Outcome.REOPENED,
    Op.CLOSE: Outcome.CLOSED,
    Op.REMOVE: Outcome.REMOVED,
}


def delta(update: PostingUpdate, input_hash: bytes, *, textless: bool = False) -> FeatureRecord:
    """The registers that one update sets; `input_hash` (over the summarizer's input) is ignored without a posting.

    Texts are cleaned (`schemas.plain`). With `textless`, of a description that shows no text, no summary is needed:
    the empty one is set, generation 0.
    Raises ValueError for an add, update or repost without a posting.
    """
    version, op, posting = update.version, update.op, update.posting
    if posting is None and op in {Op.ADD, Op.UPDATE, Op.REPOST}:
        raise ValueError(f"{op} of {update.posting_id!r} has no posting")
    state, lifecycle = State.OPEN, version
    if op is Op.CLOSE:
        state = State.CLOSED
    elif op is Op.REMOVE:
        state = State.REMOVED
    elif op is Op.UPDATE:
        lifecycle = NEVER
    episode = version if op in _EPISODES else NEVER
    removed = version if op is Op.REMOVE else NEVER
    if posting is None or op is Op.CLOSE or op is Op.REMOVE:
        return _record(
            posting_id=update.posting_id,
            version=version,
            state=state,
            lifecycle_version=lifecycle,
            episode=episode,
            removed_version=removed,
        )
    return _record(
        posting_id=update.posting_id,
        version=version,
        state=state,
        lifecycle_version=lifecycle,
        episode=episode,
        removed_version=removed,
        content_version=version,
        content_hash=content_hash(posting),
        title=plain(posting.title),
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

    Commutative and idempotent. Associative too, except in the summary of a record whose text is not summarized yet.
    """
    if a.posting_id != b.posting_id:
        raise ValueError(f"cannot merge {a.posting_id!r} with {b.posting_id!r}")
    life = a if _lifecycle(a) >= _lifecycle(b) else b
    removed = max(a.removed_version, b.removed_version)
    episode = max(a.episode, b.episode)
    content = a if _content(a) >= _content(b) else b
    if content.content_version <= removed:
        return _record(
            posting_id=a.posting_id,
            version=max(life.lifecycle_version, episode, removed),
            state=life.state,
            lifecycle_version=life.lifecycle_version,
            episode=episode,
            removed_version=removed,
        )
    text_hash, content_version = content.input_hash, content.content_version
    summary = a if _summary(a, text_hash) >= _summary(b, text_hash) else b
    summary_version = summary.summary_version
    if summary_version <= removed:
        summary, summary_version = _blank(a.posting_id), NEVER
    elif summary.summary_hash == text_hash and summary_version < content_version:
        summary_version = content_version  # newer content with the same text keeps the summary
    return _record(
        posting_id=a.posting_id,
        version=max(life.lifecycle_version, episode, removed, content_version),
        state=life.state,
        lifecycle_version=life.lifecycle_version,
        episode=episode,
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
    )


def cleaned(record: FeatureRecord, input_hash: bytes, *, textless: bool) -> FeatureRecord:
    """A stored record whose texts older rules cleaned, as today's rules clean them; its summary stays if it fits."""
    blank = _blank(record.posting_id) if textless else record
    return replace(
        record,
        title=plain(record.title),
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


def is_current(record: FeatureRecord) -> bool:
    """Whether the summary is of the text that the record now has (true of a record without content)."""
    return record.summary_hash == record.input_hash


def outcome(before: FeatureRecord | None, update: PostingUpdate, after: FeatureRecord) -> Outcome:
    """What `update` did in a one-by-one fold from `before` (None: never seen) to `after = merge(before, delta)`.

    An update whose text has no summary yet counts as summarized. A fold that summarizes only at the end of its batch
    passes `assume_summarized(before)`, so that outcomes do not depend on where batches are cut.
    """
    old = before or _NOTHING
    pending = old.summary_hash != old.input_hash
    if _content(after) != _content(old) and update.op is not Op.REMOVE:
        if pending or after.input_hash != old.input_hash:
            return Outcome.SUMMARIZED
        if update.op in _REOPENING:
            return Outcome.REOPENED
        return Outcome.METADATA_ONLY if after.content_hash != old.content_hash else Outcome.UNCHANGED
    if _others(after) != _others(old):
        return _ADVANCED[update.op]
    if _all_newer(old, update):
        return Outcome.STALE
    carries = update.posting is not None and update.version == after.content_version
    return Outcome.SUMMARIZED if pending and carries else Outcome.UNCHANGED


def assume_summarized(record: FeatureRecord) -> FeatureRecord:
    """The record as if its missing summary had arrived; the record itself if none is missing."""
    if is_current(record):
        return record
    return replace(record, summary_version=record.content_version, summary_hash=record.input_hash)


def _all_newer(old: FeatureRecord, update: PostingUpdate) -> bool:
    """Whether every register that the update touches had a newer version (erased content has that of its removal)."""
    op, touched = update.op, []
    if op is not Op.UPDATE:
        touched.append(old.lifecycle_version)
    if op in _EPISODES:
        touched.append(old.episode)
    if op is Op.REMOVE:
        touched.append(old.removed_version)
    if update.posting is not None and op is not Op.CLOSE and op is not Op.REMOVE:
        touched.append(max(old.content_version, old.removed_version))
    return min(touched) > update.version


def _content(record: FeatureRecord) -> tuple[int, int, bytes, bytes]:
    return record.content_version, record.text_rules, record.content_hash, record.input_hash


def _label(text: str | None) -> str | None:
    return text and (plain(text) or None)


def _lifecycle(record: FeatureRecord) -> tuple[int, int]:
    return record.lifecycle_version, _RANK[record.state]


def _others(record: FeatureRecord) -> tuple[int, State, int, int]:
    return record.lifecycle_version, record.state, record.episode, record.removed_version


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


#: Stands for the record before a posting's first event; only its registers are compared.
_NOTHING = _blank("")
