"""What an update did to a posting's record, and why the posting may alert now (docs/semantics.md#outcomes)."""

from dataclasses import replace

from schemas.merge import content_order, is_current
from schemas.openings import begun_at, is_listed, opening_reason, reopened
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate, Reason, State

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
#: Stands for the record before a posting's first event; only its registers are compared.
_NOTHING = FeatureRecord(posting_id="", version=NEVER)


def outcome(before: FeatureRecord | None, update: PostingUpdate, after: FeatureRecord) -> Outcome:
    """What `update` did in a one-by-one fold from `before` (None: never seen) to `after = merge(before, delta)`.

    An update whose text has no summary yet counts as summarized. A fold that summarizes only at the end of its batch
    passes `assume_summarized(before)`, so that outcomes do not depend on where batches are cut.
    """
    old = before or _NOTHING
    pending = old.summary_hash != old.input_hash
    if content_order(after) != content_order(old) and update.op is not Op.REMOVE:
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
        newer.append(begun_at(old) > version)
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


def _others(record: FeatureRecord) -> tuple[int, State, int, int]:
    return record.lifecycle_version, record.state, record.episode, record.removed_version


def _opening(record: FeatureRecord) -> tuple[State, int]:
    return record.state, record.episode
