"""Every back end that the suite runs over, opened by URL with a clock that the test moves."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.base import Clock, KeyValue, open_store
from storage.overlay import Overlay


@dataclass(slots=True)
class ManualClock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Backend:
    """One back end under test and the handles that a test has opened."""

    url: str
    clock: ManualClock = field(default_factory=ManualClock)
    opened: list[KeyValue] = field(default_factory=list)

    def open(self, clock: Clock | None = None) -> KeyValue:
        store = open_store(self.url, clock or self.clock)
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()


class OverlayBackend(Backend):
    """An empty store under a sheet of glass."""

    def open(self, clock: Clock | None = None) -> KeyValue:
        return Overlay(Backend.open(self, clock), clock or self.clock)


ONE_HANDLE: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: Backend("memory:"),
    "overlay": lambda _: OverlayBackend("memory:"),
}
SHARED: dict[str, Callable[[Path], Backend]] = {
    "lmdb-commit": lambda path: Backend(f"lmdb://{path}/store?sync=commit"),
    "lmdb-os": lambda path: Backend(f"lmdb://{path}/store?sync=os"),
}
BACKENDS = ONE_HANDLE | SHARED


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with closing(BACKENDS[request.param](tmp_path)) as made:
        yield made


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Only the back ends whose data other handles and processes see."""
    with closing(SHARED[request.param](tmp_path)) as made:
        yield made


@pytest.fixture
def store(backend: Backend) -> KeyValue:
    return backend.open()


@pytest.fixture
def clock(backend: Backend) -> ManualClock:
    return backend.clock
