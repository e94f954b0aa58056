from storage.base import KeyValue
from storage.scores import ScoreCache
from tests.conformance.conftest import Backend, ManualClock


def test_a_value_lives_until_its_ttl_and_is_missing_from_that_instant(
    store: KeyValue, clock: ManualClock
) -> None:
    start = clock.now
    store.put_many([(b"k", b"1")], ttl_s=60)
    store.merge_many([b"m"], lambda _key, _stored: b"1", ttl_s=60)
    clock.now = start + 60 - 1e-3
    assert store.get_many([b"k", b"m"]) == [b"1", b"1"]
    assert list(store.scan()) == [(b"k", b"1"), (b"m", b"1")]
    clock.now = start + 60
    assert store.get_many([b"k", b"m"]) == [None, None]
    assert list(store.scan()) == []


def test_one_of_two_handles_holds_a_lease_until_it_expires(shared: Backend) -> None:
    one, other = (ScoreCache(shared.open(), clock=shared.clock) for _ in range(2))
    assert one.lease_many([b"k", b"j"], 5.0) == [True, True]
    assert other.lease_many([b"i", b"k"], 5.0) == [True, False]
    shared.clock.now += 5
    assert other.lease_many([b"k"], 5.0) == [True]
    assert one.lease_many([b"k"], 5.0) == [False]


def test_a_merge_meets_an_expired_value_as_missing(store: KeyValue, clock: ManualClock) -> None:
    store.put_many([(b"k", b"old")], ttl_s=1)
    clock.now += 1
    met = []
    store.merge_many([b"k"], lambda _key, stored: met.append(stored) or b"new")  # type: ignore[func-returns-value]
    assert met == [None]
    assert store.get_many([b"k"]) == [b"new"]


def test_a_later_write_without_ttl_stays_for_good(store: KeyValue, clock: ManualClock) -> None:
    store.put_many([(b"k", b"1")], ttl_s=1)
    store.put_many([(b"k", b"2")])
    clock.now += 1e9
    store.put_many([(b"other", b"sweeps")])
    assert store.get_many([b"k"]) == [b"2"]


def test_a_later_ttl_replaces_an_earlier_one(store: KeyValue, clock: ManualClock) -> None:
    store.put_many([(b"longer", b"1"), (b"shorter", b"1")], ttl_s=10)
    store.put_many([(b"longer", b"2")], ttl_s=20)
    store.put_many([(b"shorter", b"2")], ttl_s=5)
    clock.now += 7
    store.put_many([(b"other", b"sweeps")])
    assert store.get_many([b"longer", b"shorter"]) == [b"2", None]
    clock.now += 7
    store.put_many([(b"other", b"sweeps")])
    assert store.get_many([b"longer"]) == [b"2"]


def test_a_merge_that_leaves_a_value_leaves_its_expiry(store: KeyValue, clock: ManualClock) -> None:
    store.put_many([(b"k", b"1")], ttl_s=10)
    assert store.merge_many([b"k"], lambda _key, _stored: None, ttl_s=100) == [b"1"]
    clock.now += 10
    assert store.get_many([b"k"]) == [None]


def test_a_ttl_of_nothing_is_missing_at_once(store: KeyValue) -> None:
    store.put_many([(b"k", b"1")], ttl_s=0)
    assert store.get_many([b"k"]) == [None]
