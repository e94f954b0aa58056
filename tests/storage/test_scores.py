import random
from collections.abc import Iterator, Sequence

from schemas.errors import StoreError, StoreUnavailable
from storage.base import Merge
from storage.memory import MemoryStore
from storage.scores import ScoreCache
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


def cache(clock: ManualClock, jitter: float = 0.2, seed: int = 0) -> ScoreCache:
    return ScoreCache(MemoryStore(clock), ttl_s=900, jitter=jitter, clock=clock, rng=random.Random(seed))


def test_scores_come_back_exactly_and_are_counted() -> None:
    scores = cache(ManualClock())
    scores.put_many([(b"a", 0.1), (b"b", 1e-300), (b"c", 1.0)])
    assert scores.get_many([b"c", b"missing", b"a", b"b"]) == [1.0, None, 0.1, 1e-300]
    assert (scores.stats.hits, scores.stats.misses, scores.stats.failures) == (3, 1, 0)


def test_without_jitter_a_score_is_missing_from_its_ttl_on() -> None:
    clock = ManualClock()
    scores = cache(clock, jitter=0)
    scores.put_many([(b"a", 0.5)])
    clock.now += 899.999
    assert scores.get_many([b"a"]) == [0.5]
    clock.now += 0.001
    assert scores.get_many([b"a"]) == [None]


def test_jitter_spreads_what_was_warmed_together_and_never_exceeds_the_cap() -> None:
    clock = ManualClock()
    scores = cache(clock)
    keys = [b"%d" % i for i in range(1_000)]
    scores.put_many([(key, 0.5) for key in keys])
    alive = []
    for _ in range(10):
        clock.now += 90
        alive.append(sum(score is not None for score in scores.get_many(keys)))
    assert alive[:7] == [1_000] * 7
    assert 400 < alive[8] < 600
    assert alive[9] == 0


def test_one_caller_at_a_time_gets_a_lease_until_it_expires() -> None:
    clock = ManualClock()
    scores = cache(clock)
    scores.put_many([(b"a", 0.5)])
    assert scores.lease_many([b"a", b"b", b"a"], ttl_s=5) == [True, True, False]
    clock.now += 4.999
    assert scores.lease_many([b"b", b"c"], ttl_s=5) == [False, True]
    clock.now += 0.001
    assert scores.lease_many([b"a", b"b", b"c"], ttl_s=5) == [True, True, False]
    assert scores.get_many([b"a"]) == [0.5]


def test_an_outage_is_a_miss_that_is_counted() -> None:
    scores = ScoreCache(Down())
    assert scores.get_many([b"a", b"b"]) == [None, None]
    scores.put_many([(b"a", 0.5)])
    assert scores.lease_many([b"a", b"b"], ttl_s=5) == [True, True]
    assert (scores.stats.misses, scores.stats.failures) == (2, 3)


def test_a_key_that_cannot_be_kept_is_counted_and_leased_to_all() -> None:
    scores = cache(ManualClock())
    long = b"k" * 1_000
    scores.put_many([(long, 0.5), (b"a", 0.25)])
    assert scores.get_many([long, b"a"]) == [None, 0.25]
    assert scores.lease_many([long], ttl_s=5) == [True]
    assert scores.lease_many([long], ttl_s=5) == [True]
    assert scores.stats.failures == 1


def test_a_value_of_another_make_is_a_miss() -> None:
    clock = ManualClock()
    scores = cache(clock)
    scores.kv.put_many([(b"a", b"0.5")])
    assert scores.get_many([b"a"]) == [None]
