"""One LMDB environment for each path and process: opening, forking, locking and growing it.

LMDB's pitfalls are handled here: a process may open a path only once (so handles share it); a forked child must close
the environment that it inherited before it opens its own; a killed reader pins pages until `reader_check`; no
transaction may be open while the map is resized; another process may have grown the map; pages freed by a commit are
free two commits later.
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
from storage.lmdb.health import FILE, OWNERS, check, damaged
from storage.lmdb.read_write_lock import ReadWriteLock

T = TypeVar("T")
#: What to do inside a transaction, given the transaction and the environment's databases.
TransactionBody = Callable[[Any, "Databases"], T]

#: What LMDB raises when it meets damage that `check` did not see.
_DAMAGE = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.PanicError)
READER_CHECK_S = 60.0
MAX_READERS = 1024  # open read transactions of all processes together
DELETE_ROOM_BYTES = 1 << 20  # by which deletions may grow a full map: they copy pages before they free them
DISK_FULL_BYTES = (
    1 << 20
)  # with less free space, an EIO means a full disk: LMDB reports a write cut short as EIO


class Databases:
    """Handles of an environment's named databases: values by key, keys by expiry, and `turns` (see `_relieve`)."""

    __slots__ = ("by_expiry", "turns", "values")

    def __init__(self, env: Any) -> None:
        self.values = env.open_db(b"values")
        self.by_expiry = env.open_db(b"expiry")
        self.turns = env.open_db(b"turns")


class SharedEnvironment:
    """This process's only environment of one path; counts its users, opens on first use and again after a fork."""

    def __init__(self, path: Path, *, durable: bool, map_size: int) -> None:
        self.path = path
        self.durable = durable
        self.users = 0
        self._map_size = map_size
        self._env: Any = None
        self._tables: Any = None
        self._next_reader_check = 0.0
        self._new_locks()

    def read(self, work: TransactionBody[T]) -> T:
        """Run `work` in a read transaction. Raises StoreUnavailable."""
        self._ready()
        while True:
            with self._translating(), self._lock.shared():
                try:
                    with self._env.begin(buffers=True) as txn:
                        return work(txn, self._tables)
                except lmdb.MapResizedError:
                    pass  # another process has grown the map: take its size over below, outside the shared lock
            with self._translating(), self._writing:
                self._resize(0)

    def write(
        self, work: TransactionBody[T], *, relief: TransactionBody[None], only_deletes: bool = False
    ) -> T:
        """Run `work` in a write transaction and commit; it may run more than once. Raises StoreFull, StoreUnavailable.

        In a full map, `relief` is committed first and `work` tried again; a `work` that only deletes grows the map a
        little instead.
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
        """Entries, bytes of the file in use (freed pages included), the map's limit and the reader slots taken."""
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
        with self._writing, self._lock.exclusive():
            self._drop()

    def open(self) -> None:
        """Open the files if this process has not yet, and free what killed readers hold.

        Raises StoreUnavailable, StoreDamaged, or ConfigError for a path that cannot be a store.
        """
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
        check(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._env = lmdb.open(
            str(self.path),
            map_size=self._map_size,
            max_dbs=4,
            max_readers=MAX_READERS,
            sync=self.durable,
            readahead=False,  # posting ids arrive in no order
        )
        self._tables = Databases(self._env)

    def _drop(self) -> None:
        if self._env is not None:
            self._env.close()
        self._env = self._tables = None

    def _commit(self, work: TransactionBody[T]) -> T:
        while True:
            try:
                with self._env.begin(write=True, buffers=True) as txn:
                    return work(txn, self._tables)
            except lmdb.MapResizedError:
                self._resize(0)

    def _commit_deletes(self, work: TransactionBody[T]) -> T:
        """Commit, growing the map as needed: in a full map nobody could ever make room if deletions failed."""
        while True:
            try:
                return self._commit(work)
            except lmdb.MapFullError:
                self._resize(self._env.info()["map_size"] + DELETE_ROOM_BYTES)

    def _relieve(self, relief: TransactionBody[None]) -> None:
        """Commit `relief`, then two small writes: the pages that `relief` freed can be used after two more commits."""
        self._commit_deletes(relief)
        for turn in (b"1", b"2"):
            self._commit(lambda txn, tables: txn.put(b"turn", turn, db=tables.turns))  # noqa: B023

    def _resize(self, map_size: int) -> None:
        """Set the map size in bytes; 0 takes over the size that another process set."""
        with self._lock.exclusive():
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
        if isinstance(error, _DAMAGE):
            return damaged(self.path / FILE, str(error))
        if code in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return StoreUnavailable(f"{self.path}: {error}: {OWNERS}")
        return StoreUnavailable(f"{self.path}: {error}")

    def _disk_is_full(self) -> bool:
        return shutil.disk_usage(self.path).free < DISK_FULL_BYTES

    def _new_locks(self) -> None:
        self._writing = threading.Lock()
        self._lock = ReadWriteLock()

    def before_fork(self) -> None:
        """Wait until no thread of this process is in a transaction, and let none begin until the fork is done."""
        self._writing.acquire()
        self._lock.acquire_exclusive()

    def after_fork_in_parent(self) -> None:
        """Let transactions begin again."""
        self._lock.release_exclusive()
        self._writing.release()

    def after_fork_in_child(self) -> None:
        """Close the inherited environment, before this process opens the path again."""
        self._new_locks()
        self._drop()


_environments: dict[Path, SharedEnvironment] = {}
_registry_lock = threading.RLock()


def acquire(path: Path, *, durable: bool, map_size: int) -> SharedEnvironment:
    """Open `path`, or return this process's open environment, and count one more user.

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
    """Count one user less, and close the environment after the last one."""
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
    global _registry_lock  # noqa: PLW0603  (the inherited lock belongs to a thread that the child does not have)
    _registry_lock = threading.RLock()
    for shared in _environments.values():
        shared.after_fork_in_child()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
