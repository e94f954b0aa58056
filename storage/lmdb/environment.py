"""One LMDB environment a path and process: opening, forking, locking, growing; what the adapter need not know.

LMDB's traps that are handled here: a process may open a path once (handles share it), a forked child must close what it
inherited before it opens its own, a killed reader pins pages until `reader_check`, nobody may read while the map is
resized, another process may have grown the map, and pages freed by a commit can be used two commits later.
"""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from schemas.errors import ConfigError, StoreError, StoreFull, StoreUnavailable
from storage.lmdb.gate import Gate

T = TypeVar("T")
#: A transaction, and the two tables of an environment: values by key, and keys by expiry.
Work = Callable[[Any, "Tables"], T]

READER_CHECK_S = 60.0
MAX_READERS = 1024  # one for each open read transaction of all processes together
DELETE_ROOM_BYTES = 1 << 20  # what deletions may add to a full map: they copy pages before they free them
DISK_FULL_BYTES = 1 << 20  # LMDB reports a write that a full disk cut short as EIO


class Tables:
    """Handles of the named databases inside one environment."""

    __slots__ = ("by_expiry", "turns", "values")

    def __init__(self, env: Any) -> None:
        self.values = env.open_db(b"values")
        self.by_expiry = env.open_db(b"expiry")
        self.turns = env.open_db(b"turns")


class SharedEnvironment:
    """The process's only handle on one path, counted by its users; opened lazily, so again after a fork."""

    def __init__(self, path: Path, *, durable: bool, map_size: int) -> None:
        self.path = path
        self.durable = durable
        self.users = 0
        self._map_size = map_size
        self._env: Any = None
        self._tables: Any = None
        self._next_reader_check = 0.0
        self._new_locks()

    def read(self, work: Work[T]) -> T:
        """Run `work` in a read transaction. Raises StoreUnavailable."""
        self._ready()
        while True:
            with self._translating(), self._gate.reading():
                try:
                    with self._env.begin(buffers=True) as txn:
                        return work(txn, self._tables)
                except lmdb.MapResizedError:
                    pass  # adopted below, when no reader is left
            with self._translating(), self._writing:
                self._resize(0)

    def write(self, work: Work[T], *, relief: Work[None], only_deletes: bool = False) -> T:
        """Run `work` in a write transaction and commit; it may run more than once. Raises StoreFull, StoreUnavailable.

        In a full map `relief` runs on its own first; what only deletes may grow the map a little instead.
        """
        self._ready()
        with self._translating(), self._writing:
            if only_deletes:
                return self._commit_deletes(work)
            try:
                return self._commit(work)
            except lmdb.MapFullError:
                self._relieve(relief)
            return self._commit(work)

    def stats(self) -> dict[str, int]:
        """Entries, bytes of the file in use (freed pages included), the map's limit and the readers' slots taken."""
        entries = self.read(lambda txn, tables: int(txn.stat(tables.values)["entries"]))
        info, page = self._env.info(), self._env.stat()["psize"]
        used = (info["last_pgno"] + 1) * page
        return {
            "entries": entries,
            "bytes": used,
            "map_size": info["map_size"],
            "readers": info["num_readers"],
        }

    def close(self) -> None:
        """Close the environment when no transaction of this process is left."""
        with self._writing, self._gate.alone():
            self._drop()

    def open(self) -> None:
        """Open the files if this process has not yet, and free what killed readers hold. Raises StoreUnavailable."""
        with self._translating():
            with self._writing:
                if self._env is None:
                    self._open()
            self._env.reader_check()
        self._next_reader_check = time.monotonic() + READER_CHECK_S

    def _ready(self) -> None:
        if self._env is None or time.monotonic() >= self._next_reader_check:
            self.open()

    def _open(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._env = lmdb.open(
            str(self.path),
            map_size=self._map_size,
            max_dbs=4,
            max_readers=MAX_READERS,
            sync=self.durable,
            readahead=False,  # posting ids arrive in no order
        )
        self._tables = Tables(self._env)

    def _drop(self) -> None:
        if self._env is not None:
            self._env.close()
        self._env = self._tables = None

    def _commit(self, work: Work[T]) -> T:
        while True:
            try:
                with self._env.begin(write=True, buffers=True) as txn:
                    return work(txn, self._tables)
            except lmdb.MapResizedError:
                self._resize(0)

    def _commit_deletes(self, work: Work[T]) -> T:
        """Deletions must work in a full map too, else nobody could ever make room."""
        while True:
            try:
                return self._commit(work)
            except lmdb.MapFullError:
                self._resize(self._env.info()["map_size"] + DELETE_ROOM_BYTES)

    def _relieve(self, relief: Work[None]) -> None:
        """Commit `relief`, then two turns that write nothing of use: pages freed so far can be taken after them."""
        self._commit_deletes(relief)
        for turn in (b"1", b"2"):
            self._commit(lambda txn, tables: txn.put(b"turn", turn, db=tables.turns))  # noqa: B023

    def _resize(self, map_size: int) -> None:
        """0 adopts what another process has set."""
        with self._gate.alone():
            self._env.set_mapsize(map_size)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> StoreError:
        code = error.errno if isinstance(error, OSError) else getattr(error, "code", 0)
        if isinstance(error, lmdb.MapFullError):
            return StoreFull(
                f"{self.path}: the map of {self._env.info()['map_size']} bytes is full;"
                " delete records or open it with a larger ?map_size="
            )
        if code in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} or (code == errno.EIO and self._disk_is_full()):
            return StoreFull(f"{self.path}: no room on its disk; make room, then try again ({error})")
        return StoreUnavailable(f"{self.path}: {error}")

    def _disk_is_full(self) -> bool:
        return shutil.disk_usage(self.path).free < DISK_FULL_BYTES

    def _new_locks(self) -> None:
        self._writing = threading.Lock()
        self._gate = Gate()

    def before_fork(self) -> None:
        """Let no transaction be under way in any thread while the process forks."""
        self._writing.acquire()
        self._gate.shut()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()
        self._writing.release()

    def after_fork_in_child(self) -> None:
        """Close what was inherited, before anything opens the path anew."""
        self._new_locks()
        self._drop()


_environments: dict[Path, SharedEnvironment] = {}
_registry_lock = threading.RLock()


def acquire(path: Path, *, durable: bool, map_size: int) -> SharedEnvironment:
    """The process's environment of `path`, one user more.

    Raises ConfigError when it is open with another durability, StoreUnavailable.
    """
    with _registry_lock:
        real = Path(os.path.realpath(path))
        shared = _environments.get(real)
        if shared is None:
            shared = SharedEnvironment(real, durable=durable, map_size=map_size)
            shared.open()
            _environments[real] = shared
        if shared.durable != durable:
            raise ConfigError(
                f"{path} is already open in this process with another sync=; use one, or another path"
            )
        shared.users += 1
        return shared


def release(shared: SharedEnvironment) -> None:
    """One user less; the last one closes it."""
    with _registry_lock:
        shared.users -= 1
        if shared.users == 0:
            del _environments[shared.path]
            shared.close()


def _before_fork() -> None:
    _registry_lock.acquire()
    for shared in _environments.values():
        shared.before_fork()


def _after_fork_in_parent() -> None:
    for shared in _environments.values():
        shared.after_fork_in_parent()
    _registry_lock.release()


def _after_fork_in_child() -> None:
    global _registry_lock  # noqa: PLW0603  (the inherited lock belongs to a thread that is not here)
    _registry_lock = threading.RLock()
    for shared in _environments.values():
        shared.after_fork_in_child()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
