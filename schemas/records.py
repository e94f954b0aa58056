"""The records that are stored and sent, as frozen dataclasses; the `.avsc` files beside them are their wire form.

Times: `version` and every `*_us` field are UTC microseconds, `*_ms` fields are broker timestamps in milliseconds.
A version of `NEVER` means that nothing has set the register yet.
"""

from dataclasses import dataclass
from enum import StrEnum

NEVER = -1


class Op(StrEnum):
    """What a posting update does."""

    ADD = "add"
    UPDATE = "update"
    REPOST = "repost"
    CLOSE = "close"
    OPEN = "open"
    REMOVE = "remove"


class State(StrEnum):
    """Lifecycle of a posting; at equal versions the later one in this order wins."""

    OPEN = "open"
    CLOSED = "closed"
    REMOVED = "removed"


class Outcome(StrEnum):
    """What one update did to the store, one for each source offset (docs/semantics.md#outcomes)."""

    SUMMARIZED = "summarized"
    METADATA_ONLY = "metadata_only"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    REOPENED = "reopened"
    REMOVED = "removed"
    STALE = "stale"
    DEAD_LETTERS = "dead_letters"


class Reason(StrEnum):
    """Why an alert went out (docs/semantics.md#why-an-alert-went-out)."""

    UNKNOWN = "unknown"  # written by a version that gave no reason
    NEW = "new"  # the posting is new
    REOPENED = "reopened"  # the posting was closed or removed, or is added again
    EDITED = "edited"  # an edit made the posting match
    SEARCH = "search"  # the saved search is new or changed, the posting was there before


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """The content of one job ad as its owner wrote it."""

    title: str
    company: str | None = None
    location: str | None = None
    employment_type: str | None = None
    remote: str | None = None
    salary: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingUpdate:
    """One event on topic `postings.updates`; `posting` is absent on close, remove and most opens.

    `as_of`: for an `add` that is a row of a plain list, the time at which the list says that the posting is open; NEVER
    for an event. A listed posting that is open stays in its opening.
    """

    posting_id: str
    version: int
    op: Op
    posting: Posting | None = None
    as_of: int = NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRecord:
    """One posting in the store and on topic `postings.features`: registers, each a maximum over versions.

    `version` is the highest version of any register. Raw text is not here: it lives under the posting's second key.
    """

    posting_id: str
    version: int
    # lifecycle, episode and removal registers
    state: State = State.OPEN
    lifecycle_version: int = NEVER
    episode: int = (
        NEVER  # at which the present opening began; `merge` derives it from the next three and the state
    )
    begun_version: int = NEVER  # the newest add or open
    reposted_version: int = NEVER  # the newest repost
    ended_version: int = NEVER  # the newest close or removal
    removed_version: int = NEVER
    # content register (the raw text under the second key has the same version)
    content_version: int = NEVER
    content_hash: bytes = b""
    title: str = ""
    company: str | None = None
    location: str | None = None
    employment_type: str | None = None
    remote: str | None = None
    salary: str | None = None
    input_hash: bytes = (
        b""  # of what the summarizer reads; a summary is current when its summary_hash equals it
    )
    text_rules: int = 0  # of `schemas.clean` that cleaned this content
    # summary register: ordered by (summary_version, generation)
    summary_version: int = NEVER
    summary_hash: bytes = b""
    summary: str = ""
    summary_tokens: int = 0
    input_tokens: int = 0
    model: str = ""
    generation: int = 0
    # vector register: of the texts that the record has now, or empty (`schemas/vectors.py`)
    vector: bytes = b""  # a unit vector in little-endian float16; b"" also where the model gives none
    vector_hash: bytes = b""  # of the texts that it was made from; b"" if no embedder has read them
    vector_model: str = ""
    vector_generation: int = 0


THRESHOLD = 0.5
"""Threshold of a saved search that names none, where no ranker's calibration gives another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """One saved search on topic `searches`; null filters pass everything, `top_k` 0 means no limit a day.

    `must_not`: phrases that a posting must not offer. `radius_km`: 0 takes the place as it is named. `pay_from`: the
    least pay, with its currency and period as far as they are known ("13.50 GBP per hour"). `semantic_threshold`: the
    least similarity of the search's vector and a posting's; null leaves it to the matcher.
    """

    search_id: str
    query: str
    location: str | None = None
    remote: bool | None = None
    employment_type: str | None = None
    threshold: float = THRESHOLD
    top_k: int = 0
    must_not: tuple[str, ...] = ()
    radius_km: float = 0.0
    pay_from: str | None = None
    semantic_threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One posting within a score request: the version that the matcher saw, the update's broker timestamp, and why."""

    posting_id: str
    version: int
    updated_ms: int
    reason: Reason = Reason.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """One search with many candidates on topic `score.requests` (key: search id).

    `query_vector`: what the matcher compared with vectors of postings, made by the embedder `query_model`; candidates
    reach `least_similarity`. Empty for a search that has none: its words were compared.
    """

    search: SavedSearch
    candidates: tuple[Candidate, ...]
    created_ms: int
    query_vector: bytes = b""
    query_model: str = ""
    least_similarity: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert on topic `alerts`; `alert_id = hash(search_id, posting_id, episode)`."""

    alert_id: str
    search_id: str
    posting_id: str
    version: int
    episode: int
    query: str
    title: str
    company: str | None
    p_yes: float
    model: str
    updated_ms: int
    reason: Reason = Reason.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What `nearline dlq list` shows: the original bytes and where they came from (headers on the wire)."""

    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    length: int
    sha256: str
