from collections.abc import Iterator, Sequence

import pytest

from schemas.errors import StoreError, StoreUnavailable
from storage.base import Merge
from storage.memory import MemoryStore
from storage.scores import MAX_REASON_CHARS, ScoreCache, StoredScore
from tests.conformance.conftest import ManualClock


class Down:
    """A store that raises StoreUnavailable from every call."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        raise StoreUnavailable(f"{len(keys)} keys out of reach")

    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        raise StoreUnavailable(f"{len(items)} items out of reach for {ttl_s} s")

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        raise StoreUnavailable(f"{len(keys)} keys out of reach of {merge} for {ttl_s} s")

    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        raise StoreUnavailable(f"{prefix!r} from {start!r} on out of reach")

    def close(self) -> None:
        """Nothing is held."""


def cache(clock: ManualClock) -> ScoreCache:
    return ScoreCache(MemoryStore(clock), ttl_s=900, clock=clock)


def stored(score: float = 0.5, *, expires: float = 800.0, dies: float = 900.0) -> StoredScore:
    return StoredScore(score, cost_s=0.25, expires_in_s=expires, dies_in_s=dies)


def scores(found: Sequence[StoredScore | None]) -> list[float | None]:
    return [None if one is None else one.score for one in found]


def test_scores_come_back_exactly_and_are_counted() -> None:
    held = cache(ManualClock())
    held.put_many([(b"a", stored(0.1)), (b"b", stored(1e-300)), (b"c", stored(1.0))])
    assert scores(held.get_many([b"c", b"missing", b"a", b"b"])) == [1.0, None, 0.1, 1e-300]
    assert (held.stats.hits, held.stats.misses, held.stats.failures) == (3, 1, 0)


def test_times_go_on_from_what_their_writer_decided() -> None:
    clock = ManualClock()
    held = cache(clock)
    held.put_many([(b"a", stored(expires=60.0, dies=90.0))])
    clock.now += 70.0
    (found,) = held.get_many([b"a"])
    assert found is not None
    assert (found.cost_s, found.expires_in_s, found.dies_in_s) == pytest.approx((0.25, -10.0, 20.0))
    clock.now += 20.0
    assert held.get_many([b"a"]) == [None]


def test_a_refusal_comes_back_with_its_reason_cut_to_a_length() -> None:
    held = cache(ManualClock())
    held.put_many([(b"a", stored()._replace(reason="is not à prompt" + "x" * 1_000))])
    (found,) = held.get_many([b"a"])
    assert found is not None
    assert found.reason is not None
    assert found.reason.startswith("is not à prompt")
    assert len(found.reason) == MAX_REASON_CHARS


def test_one_caller_at_a_time_gets_a_lease_until_it_expires() -> None:
    clock = ManualClock()
    held = cache(clock)
    held.put_many([(b"a", stored())])
    assert held.lease_many([b"a", b"b", b"a"], ttl_s=5) == [True, True, False]
    clock.now += 4.999
    assert held.lease_many([b"b", b"c"], ttl_s=5) == [False, True]
    clock.now += 0.001
    assert held.lease_many([b"a", b"b", b"c"], ttl_s=5) == [True, True, False]
    assert scores(held.get_many([b"a"])) == [0.5]


def test_a_lease_that_its_holder_gives_back_is_free_and_no_one_elses_is() -> None:
    clock = ManualClock()
    one = cache(clock)
    other = ScoreCache(one.kv, clock=clock)
    assert one.lease_many([b"a", b"b"], ttl_s=5) == [True, True]
    other.release_many([b"a", b"b", b"never"])
    assert other.lease_many([b"a"], ttl_s=5) == [False]
    one.release_many([b"a"])
    assert other.lease_many([b"a", b"b"], ttl_s=5) == [True, False]
    one.release_many([b"a"])
    assert one.lease_many([b"a"], ttl_s=5) == [False]


def test_a_lease_is_renewed_by_its_holder_alone_and_not_once_it_was_given_back() -> None:
    clock = ManualClock()
    one = cache(clock)
    other = ScoreCache(one.kv, clock=clock)
    assert one.lease_many([b"a", b"b"], ttl_s=5) == [True, True]
    one.release_many([b"b"])
    clock.now += 4.0
    one.renew_many([b"a", b"b", b"never"], ttl_s=5)
    assert other.lease_many([b"b", b"never"], ttl_s=5) == [True, True]
    other.renew_many([b"a"], ttl_s=60)
    clock.now += 4.999
    assert other.lease_many([b"a"], ttl_s=5) == [False]
    clock.now += 0.001
    assert other.lease_many([b"a"], ttl_s=5) == [True]
    one.renew_many([b"a"], ttl_s=5)
    clock.now += 5.0
    assert one.lease_many([b"a"], ttl_s=5) == [True], "another caller's lease ends in its time"


def test_a_lease_that_begins_in_the_future_does_not_hold() -> None:
    clock = ManualClock()
    held = cache(clock)
    assert held.lease_many([b"a"], ttl_s=5) == [True]
    clock.now -= 3_600
    assert held.lease_many([b"a"], ttl_s=5) == [True], "the clock was set back"
    assert held.lease_many([b"a"], ttl_s=5) == [False]


def test_a_lease_of_a_caller_whose_clock_is_a_little_ahead_holds() -> None:
    one = cache(ManualClock())
    behind = ManualClock()
    behind.now -= 0.001
    assert one.lease_many([b"a"], ttl_s=5) == [True]
    assert ScoreCache(one.kv, clock=behind).lease_many([b"a"], ttl_s=5) == [False]


def test_an_outage_is_a_miss_that_is_counted() -> None:
    held = ScoreCache(Down())
    assert held.get_many([b"a", b"b"]) == [None, None]
    held.put_many([(b"a", stored())])
    assert held.lease_many([b"a", b"b"], ttl_s=5) == [True, True]
    held.renew_many([b"a"], ttl_s=5)
    held.release_many([b"a"])
    assert (held.stats.misses, held.stats.failures) == (2, 5)


def test_a_key_that_cannot_be_kept_is_counted_and_leased_to_all() -> None:
    held = cache(ManualClock())
    long = b"k" * 1_000
    held.put_many([(long, stored()), (b"a", stored(0.25))])
    assert scores(held.get_many([long, b"a"])) == [None, 0.25]
    assert held.lease_many([long], ttl_s=5) == [True]
    assert held.lease_many([long], ttl_s=5) == [True]
    assert held.stats.failures == 1


@pytest.mark.parametrize("value", [b"", b"\x01", b"x" * 33, b"\x01" + b"\xff" * 32, b"s" * 16])
def test_a_value_of_another_make_is_a_miss(value: bytes) -> None:
    held = cache(ManualClock())
    held.kv.put_many([(b"a", value)])
    assert held.get_many([b"a"]) == [None]
