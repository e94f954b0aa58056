"""The garbage collector leaves a process alone while it works on batches, and still frees cycles."""

import gc
from collections.abc import Iterator

import pytest

from schemas.collecting import YOUNG_OBJECTS, collect_seldom

OBJECTS_OF_A_BATCH = 120_000


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that were collected since the call of `collect_seldom`."""
    before, seen = gc.get_threshold(), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    collect_seldom()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*before)


def test_a_batch_brings_no_collection(collections: list[int]) -> None:
    for _ in range(3):
        batch = [[i] for i in range(OBJECTS_OF_A_BATCH)]
        del batch
    assert not collections


def test_cycles_are_freed_before_they_fill_the_memory(collections: list[int]) -> None:
    for _ in range(2 * YOUNG_OBJECTS):
        Knot()
    assert collections
    assert sum(isinstance(one, Knot) for one in gc.get_objects()) < YOUNG_OBJECTS
