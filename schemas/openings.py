"""When a posting's openings began and ended, from the registers of its record (docs/semantics.md#plain-lists)."""

from schemas.records import NEVER, FeatureRecord, Op, PostingUpdate, Reason, State


def is_listed(update: PostingUpdate) -> bool:
    """Whether the update is a row of a plain list, which opens a posting but begins no opening where one lasts."""
    return update.op is Op.ADD and update.as_of != NEVER


def episode_of(state: State, begun: int, reposted: int, ended: int) -> int:
    """The version at which the present opening began: that of the newest add or open, as a rule.

    When the posting is open although no add, open or repost came after its newest close or removal, a row of a list has
    opened it. Such an opening begins with the microsecond after that end, whichever row came first.
    """
    if state is State.OPEN and ended != NEVER and ended >= begun and ended >= reposted:
        return ended + 1
    return begun


def begun_at(record: FeatureRecord) -> int:
    """The newest add or open; records of versions without this register have it as their episode."""
    if record.begun_version != NEVER:
        return record.begun_version
    opened_by_list = record.episode == ended_at(record) + 1 and record.episode > 0
    return NEVER if opened_by_list else record.episode


def ended_at(record: FeatureRecord) -> int:
    """The newest close or removal; of records of versions without this register, as far as they know it."""
    shut = NEVER if record.state is State.OPEN else record.lifecycle_version
    return max(record.ended_version, record.removed_version, shut)


def reopened(record: FeatureRecord) -> bool:
    """Whether the posting was closed or removed at some time before its present opening."""
    return record.state is State.OPEN and ended_at(record) != NEVER


def opening_reason(record: FeatureRecord) -> Reason:
    """Why a posting alerts when nothing is known but its record: it is new, or it was closed before."""
    return Reason.REOPENED if reopened(record) else Reason.NEW
