"""A Couchbase for the suite: its own test server, and a collection without rows for each test."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from nearline.stack.couchbase import couchbase, ensure_test_server
from nearline.stack.processes import reap, spawn, stop, wait_until
from nearline.stack.settings import StackSettings
from storage.base import open_store


@contextmanager
def test_server(home: Path) -> Iterator[str]:
    """A running server's URL, patient enough for a busy machine."""
    home.mkdir(parents=True)
    settings = StackSettings(home=home, port_base=_free_port_base(), store="couchbase")
    with (home.parent / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_test_server(settings)
    component = couchbase(settings)
    log = settings.log(component.name)
    process = spawn(component.command, home=home, component=component.name, log=log, env=component.env)
    try:
        assert wait_until(component.ready, 120), log.read_text()[-2000:]
        yield f"{settings.store_url}&timeout_ms=20000"
    finally:
        stop(process, 5)
        reap(home)


def empty(url: str) -> None:
    """Delete every row; before the first instant nothing has expired."""
    with closing(open_store(url, lambda: 0.0)) as store:
        store.put_many([(key, None) for key, _ in store.scan()])


def _free_port_base() -> int:
    spread = range(33000 + 40 * (os.getpid() % 200), 60000, 200)
    return next(base for base in spread if all(map(_free, StackSettings(port_base=base).ports.values())))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
