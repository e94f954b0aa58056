"""Every key of ours fits every back end, whatever ids and model names people choose."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import StoreError
from schemas.keys import (
    HASH_BYTES,
    MAX_ID_BYTES,
    day_of,
    feature_key,
    ledger_key,
    quota_key,
    score_key,
    score_prefix,
    text_key,
)
from storage.base import MAX_KEY_BYTES, Merge, refusal
from storage.memory import MemoryStore
from storage.scores import ScoreCache

COUCHBASE_BYTES, COLLECTION_BYTES = 250, 4
HASH = b"h" * HASH_BYTES

ids = st.builds(lambda word, times: word * times, st.text("aé看😀\x00\x7f", max_size=3), st.integers(0, 250))
versions = st.integers(-(2**63), 2**63 - 1)


class Noting(MemoryStore):
    """A store that remembers the keys of its last merge."""

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        self.noted = list(keys)
        return super().merge_many(keys, merge, ttl_s=ttl_s)


def lease_key(key: bytes) -> bytes:
    kv = Noting(lambda: 0.0)
    ScoreCache(kv).lease_many([key], 1.0)
    return kv.noted[0]


@given(name=ids, version=versions)
@example(name="x" * MAX_ID_BYTES, version=-(2**63))
@example(name="x" * (MAX_ID_BYTES + 1), version=2**63 - 1)
def test_no_key_is_longer_than_any_back_end_takes(name: str, version: int) -> None:
    score = score_key(score_prefix(name, "multi-item/bfloat16"), HASH, HASH)
    keys = [
        feature_key(name),
        text_key(name),
        score,
        lease_key(score),
        ledger_key(name),
        quota_key(name, day_of(version)),
    ]
    assert max(map(len, keys)) <= MAX_KEY_BYTES <= COUCHBASE_BYTES - COLLECTION_BYTES
    assert [refusal(key) for key in keys] == [None] * len(keys)
