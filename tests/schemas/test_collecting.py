"""The garbage collector leaves a process alone while it works on batches, and still frees cycles between them."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from schemas.collecting import YOUNG_OBJECTS, SeldomCollector

OBJECTS_OF_A_BATCH = 120_000


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


class Watched:
    """A collector by a clock that the test sets, and the generations that were collected since it was made."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.seldom = SeldomCollector(every_s=5.0, clock=lambda: self.now_s)
        self.collections: list[int] = []
        gc.callbacks.append(self.note)

    def note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self.collections.append(info["generation"])


@pytest.fixture
def watched() -> Iterator[Watched]:
    before = gc.get_threshold()
    made = Watched()
    yield made
    gc.callbacks.remove(made.note)
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_batch_brings_no_collection(watched: Watched) -> None:
    for _ in range(3):
        batch = [[i] for i in range(OBJECTS_OF_A_BATCH)]
        del batch
        watched.seldom.between_batches()
    assert not watched.collections


def test_a_cycle_is_freed_between_batches_within_the_time(watched: Watched) -> None:
    knot = weakref.ref(Knot())
    watched.seldom.between_batches()
    assert knot() is not None
    watched.now_s = 5.0
    watched.seldom.between_batches()
    assert knot() is None
    watched.seldom.between_batches()
    assert len(watched.collections) == 1


def test_cycles_are_freed_within_a_batch_before_they_fill_the_memory(watched: Watched) -> None:
    for _ in range(2 * YOUNG_OBJECTS):
        Knot()
    assert watched.collections
    assert sum(isinstance(one, Knot) for one in gc.get_objects()) < YOUNG_OBJECTS
