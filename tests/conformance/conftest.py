"""Every back end that the suite runs over, opened by URL with a clock that the test moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.base import Clock, KeyValue, open_store


@dataclass(slots=True)
class ManualClock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Backend:
    """One back end under test: `open()` gives another handle on the same data where `shared` says that one exists."""

    url: str
    shared: bool
    clock: ManualClock = field(default_factory=ManualClock)
    opened: list[KeyValue] = field(default_factory=list)

    def open(self, clock: Clock | None = None) -> KeyValue:
        store = open_store(self.url, clock or self.clock)
        self.opened.append(store)
        return store


BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: Backend("memory:", shared=False),
    "lmdb-commit": lambda path: Backend(f"lmdb://{path}/store?sync=commit", shared=True),
    "lmdb-os": lambda path: Backend(f"lmdb://{path}/store?sync=os", shared=True),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    made = BACKENDS[request.param](tmp_path)
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(backend: Backend) -> KeyValue:
    return backend.open()


@pytest.fixture
def clock(backend: Backend) -> ManualClock:
    return backend.clock


@pytest.fixture
def shared(backend: Backend) -> Backend:
    if not backend.shared:
        pytest.skip("this back end lives in one handle of one process")
    return backend
