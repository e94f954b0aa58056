"""A posting's record as a merge of registers, each the maximum over versions (docs/semantics.md#registers).

| register | ordered by |
|---|---|
| content | content_version, text_rules, content_hash |
| lifecycle | lifecycle_version, then open < closed < removed |
| begun_version, reposted_version, ended_version | themselves |
| removed_version | itself; content and summary at or below it are erased |
| summary | (summary_version, generation) among the summaries of the winning text |

`episode` is no register: it is derived from the registers (`_episode`), because rows of plain lists must not begin an
opening where one lasts, and the first row after a close is not known while older rows may still come.

Everything that changes a record goes through `merge`, so order, duplication and replay cannot matter.
"""

from dataclasses import replace

from schemas.clean import TEXT_RULES, clean
from schemas.compiled import constructor
from schemas.keys import content_hash
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate, Reason, State

_RANK = {State.OPEN: 0, State.CLOSED: 1, State.REMOVED: 2}
_record = constructor(FeatureRecord)
_OPENING = (Op.ADD, Op.REPOST, Op.OPEN)
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

    Commutative and idempotent. Associative too, except in the summary of a record whose text is not summarized yet.
    """
    if a.posting_id != b.posting_id:
        raise ValueError(f"cannot merge {a.posting_id!r} with {b.posting_id!r}")
    life = a if _lifecycle(a) >= _lifecycle(b) else b
    removed = max(a.removed_version, b.removed_version)
    begun, ended = max(_begun(a), _begun(b)), max(_ended(a), _ended(b))
    reposted = max(a.reposted_version, b.reposted_version)
    episode = _episode(life.state, begun, reposted, ended)
    content = a if _content(a) >= _content(b) else b
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
    )


def renewed(record: FeatureRecord) -> FeatureRecord:
    """The record with the registers that older versions of the format did not have, as far as they follow from it."""
    return replace(record, begun_version=_begun(record), ended_version=_ended(record))


def cleaned(record: FeatureRecord, input_hash: bytes, *, textless: bool) -> FeatureRecord:
    """A stored record whose texts older rules cleaned, as today's rules clean them; its summary stays if it fits."""
    blank = _blank(record.posting_id) if textless else record
    return replace(
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


def is_current(record: FeatureRecord) -> bool:
    """Whether the summary is of the text that the record now has (true of a record without content)."""
    return record.summary_hash == record.input_hash


def is_listed(update: PostingUpdate) -> bool:
    """Whether the update is a row of a plain list, which opens a posting but begins no opening where one lasts."""
    return update.op is Op.ADD and update.as_of != NEVER


def reopened(record: FeatureRecord) -> bool:
    """Whether the posting was closed or removed at some time before its present opening."""
    return record.state is State.OPEN and _ended(record) != NEVER


def reason(before: FeatureRecord | None, update: PostingUpdate, after: FeatureRecord) -> Reason:
    """Why a posting that `update` led from `before` to `after` may alert now; UNKNOWN if it is not open."""
    if after.state is not State.OPEN:
        return Reason.UNKNOWN
    known = before is not None and before.content_version != NEVER
    if before is not None and known and before.state is State.OPEN and before.episode == after.episode:
        edited = before.content_hash != after.content_hash or update.op is Op.UPDATE
        return Reason.EDITED if edited else opening_reason(after)
    again = before is not None and before.lifecycle_version != NEVER and known
    return Reason.REOPENED if again or reopened(after) else Reason.NEW


def opening_reason(record: FeatureRecord) -> Reason:
    """Why a posting alerts when nothing is known but its record: it is new, or it was closed before."""
    return Reason.REOPENED if reopened(record) else Reason.NEW


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
        if update.op in _REOPENING or _opens_again(old, update, after):
            return Outcome.REOPENED
        same = after.content_hash == old.content_hash and _opening(after) == _opening(old)
        return Outcome.UNCHANGED if same else Outcome.METADATA_ONLY
    if _others(after) != _others(old):
        if _opens_again(old, update, after):
            return Outcome.REOPENED
        return Outcome.UNCHANGED if is_listed(update) else _ADVANCED[update.op]
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
    op, version, newer = update.op, update.version, []
    if op is not Op.UPDATE:
        newer.append(old.lifecycle_version > (update.as_of if is_listed(update) else version))
    if op is Op.OPEN or (op is Op.ADD and not is_listed(update)):
        newer.append(_begun(old) > version)
    if op is Op.REMOVE:
        newer.append(old.removed_version > version)
    if update.posting is not None and op is not Op.CLOSE and op is not Op.REMOVE:
        newer.append(max(old.content_version, old.removed_version) > version)
    return all(newer)


def _opens_again(old: FeatureRecord, update: PostingUpdate, after: FeatureRecord) -> bool:
    """Whether the update begins a new opening, or brings back an old one, of a posting that had one before."""
    if update.op not in _OPENING or old.lifecycle_version == NEVER or after.state is not State.OPEN:
        return False
    return old.state is not State.OPEN or after.episode > old.episode


def _episode(state: State, begun: int, reposted: int, ended: int) -> int:
    """The version at which the present opening began: that of the newest add or open, as a rule.

    When the posting is open although no add, open or repost came after its newest close or removal, a row of a list has
    opened it. Such an opening begins with the microsecond after that end, whichever row came first.
    """
    if state is State.OPEN and ended != NEVER and ended >= begun and ended >= reposted:
        return ended + 1
    return begun


def _begun(record: FeatureRecord) -> int:
    """The newest add or open; records of versions without this register have it as their episode."""
    if record.begun_version != NEVER:
        return record.begun_version
    opened_by_list = record.episode == _ended(record) + 1 and record.episode > 0
    return NEVER if opened_by_list else record.episode


def _ended(record: FeatureRecord) -> int:
    """The newest close or removal; of records of versions without this register, as far as they know it."""
    shut = NEVER if record.state is State.OPEN else record.lifecycle_version
    return max(record.ended_version, record.removed_version, shut)


def _content(record: FeatureRecord) -> tuple[int, int, bytes, bytes]:
    return record.content_version, record.text_rules, record.content_hash, record.input_hash


def _label(text: str | None) -> str | None:
    return (clean(text) or None) if text else None


def _lifecycle(record: FeatureRecord) -> tuple[int, int]:
    return record.lifecycle_version, _RANK[record.state]


def _others(record: FeatureRecord) -> tuple[int, State, int, int]:
    return record.lifecycle_version, record.state, record.episode, record.removed_version


def _opening(record: FeatureRecord) -> tuple[State, int]:
    return record.state, record.episode


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
