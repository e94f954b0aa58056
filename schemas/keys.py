"""Hashes, identities and store keys; the version of a key's format is inside the key.

| key | holds |
|---|---|
| `f/1/<posting id>` | the feature record |
| `t/1/<posting id>` | the raw text |
| `s/2/<model and how it computes>/<both hashes in base64>` | the score of a query and a prompt |
| `a/1/<alert id>` | a ledger entry |
| `q/1/<day>/<search id>` | the alerts of one search and event-time day |
| `n/1/<alert id>` | why a pair was not scored |
| `b/1/<day>/<campaign>` | what a campaign has spent on one day |
| `m/1/<hash of a URL>` | how far an interrupted copy from the store at that URL came |

A key is UTF-8 text without NUL of at most `storage.base.MAX_KEY_BYTES` bytes, so that it fits every back end as it
is. An id that is longer than `MAX_ID_BYTES`, holds a NUL or begins with DEL is replaced by DEL and its hash.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

from schemas.records import Posting

HASH_BYTES = 16
MAX_ID_BYTES = 192
"""With prefix, day or hashes, and a lease's first byte, a key stays within `storage.base.MAX_KEY_BYTES` (246)."""
_HASHED = b"\x7f"  # DEL: no id that is stored as it is begins with it
US_PER_DAY = 86_400_000_000


def text_hash(text: str) -> bytes:
    """16 bytes over a text: a query, a prompt or the summarizer's input."""
    return blake2b(text.encode(), digest_size=HASH_BYTES).digest()


def parts_hash(*parts: str | None) -> bytes:
    """16 bytes over several texts; no two different lists hash the same text, and None differs from ''."""
    lengths = ",".join(["-" if part is None else str(len(part)) for part in parts])
    return text_hash(f"{lengths}:{''.join([part or '' for part in parts])}")


def content_hash(posting: Posting) -> bytes:
    """16 bytes over everything that the owner wrote; breaks ties between contents of equal versions."""
    return parts_hash(
        posting.title,
        posting.company,
        posting.location,
        posting.employment_type,
        posting.remote,
        posting.salary,
        posting.description,
    )


def alert_id(search_id: str, posting_id: str, episode: int) -> str:
    """32 hexadecimal digits over search, posting and episode: the pair alerts once for each id."""
    return parts_hash(search_id, posting_id, str(episode)).hex()


def feature_key(posting_id: str) -> bytes:
    """Where a posting's feature record is."""
    return b"f/1/" + _id_bytes(posting_id)


def text_key(posting_id: str) -> bytes:
    """Where a posting's raw text is."""
    return b"t/1/" + _id_bytes(posting_id)


def score_prefix(model: str, scored_as: str) -> bytes:
    """Where the scores of one model are that are computed one way; `scored_as`, such as `shared/float32`, is one word.

    The last space of the joined text stands before it, so that no two pairs have the same prefix.
    """
    return b"s/2/" + _id_bytes(f"{model} {scored_as}") + b"/"


def score_key(prefix: bytes, query_hash: bytes, prompt_hash: bytes) -> bytes:
    """Where the score of one item for one query is, under its model's `score_prefix`."""
    return prefix + urlsafe_b64encode(query_hash + prompt_hash).rstrip(b"=")


@lru_cache(maxsize=16_384)
def ledger_key(alert_id: str) -> bytes:
    """Where the ledger entry of an alert is; the ledger asks several times for each claim of a step."""
    return b"a/1/" + _id_bytes(alert_id)


def cut_key(alert_id: str) -> bytes:
    """Where the note is why a pair was not scored."""
    return b"n/1/" + _id_bytes(alert_id)


def quota_key(search_id: str, day: int) -> bytes:
    """Where the quota of a search on one event-time day (`day_of`) is."""
    return b"q/1/%d/" % day + _id_bytes(search_id)


def spend_key(campaign: str, day: int) -> bytes:
    """Where it stands what a campaign has spent on one day."""
    return b"b/1/%d/" % day + _id_bytes(campaign)


def copy_key(source: str) -> bytes:
    """Where an interrupted copy from the store at `source` notes how far it came."""
    return b"m/1/" + text_hash(source).hex().encode()


def day_of(version: int) -> int:
    """The event-time day, counted from 1970, of a time in UTC microseconds."""
    return version // US_PER_DAY


def _id_bytes(text: str) -> bytes:
    data = text.encode()
    if len(data) <= MAX_ID_BYTES and b"\0" not in data and not data.startswith(_HASHED):
        return data
    return _HASHED + blake2b(data, digest_size=HASH_BYTES).hexdigest().encode()
