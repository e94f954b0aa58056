"""Every back end that the suite runs over, opened by URL with a clock that the test moves."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.base import Clock, KeyValue
from storage.opening import open_store
from storage.overlay import Overlay
from tests.conformance.couchbase_server import CouchbaseServer, empty


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


LOCAL: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: Backend("memory:"),
    "overlay": lambda _: OverlayBackend("memory:"),
    "lmdb-commit": lambda path: Backend(f"lmdb://{path}/store?sync=commit"),
    "lmdb-os": lambda path: Backend(f"lmdb://{path}/store?sync=os"),
}
#: What a back end does not do, by test; each with its reason.
NOT_ATOMIC = "a bulk write of Couchbase is atomic key by key"
LACKS: dict[str, dict[str, str]] = {
    "couchbase": {
        "test_a_reader_sees_each_batch_of_another_process_whole": NOT_ATOMIC,
        "test_threads_that_share_a_handle_see_each_batch_whole": NOT_ATOMIC,
    },
}
COUCHBASE = pytest.param("couchbase", marks=[pytest.mark.integration, pytest.mark.timeout(300)])


@pytest.fixture(scope="session")
def couchbase_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server of --couchbase URL, else Couchbase's test server from Maven."""
    given = str(request.config.getoption("--couchbase"))
    if given:
        yield given
        return
    home = Path(__file__).parents[2] / "build" / f"couchbase-{os.getpid()}"
    with closing(CouchbaseServer(home)) as server:
        server.start()
        yield server.url


@pytest.fixture(params=[*LOCAL, COUCHBASE])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with closing(_backend(request, tmp_path)) as made:
        yield made


@pytest.fixture(params=["lmdb-commit", "lmdb-os", COUCHBASE])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Only the back ends whose data other handles and processes see."""
    with closing(_backend(request, tmp_path)) as made:
        yield made


def _backend(request: pytest.FixtureRequest, folder: Path) -> Backend:
    test = request.node.originalname
    if reason := LACKS.get(request.param, {}).get(test):
        pytest.skip(f"{request.param}: {reason}")
    if request.param in LOCAL:
        return LOCAL[request.param](folder)
    url = request.getfixturevalue("couchbase_url")
    empty(url)
    return Backend(url)


@pytest.fixture
def store(backend: Backend) -> KeyValue:
    return backend.open()


@pytest.fixture
def clock(backend: Backend) -> ManualClock:
    return backend.clock
