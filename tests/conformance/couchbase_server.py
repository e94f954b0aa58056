"""A Couchbase for the suite: its own test server, and a collection without rows for each test."""

import fcntl
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

from nearline.stack.couchbase import couchbase, ensure_test_server
from nearline.stack.processes import spawn, wait_until
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port_base
from storage.opening import open_store

#: Below the ports that the system hands out to outgoing connections.
BASES = range(20000 + 40 * (os.getpid() % 200), 32000, 200)


class CouchbaseServer:
    """The test server in a home of its own; `url` is patient enough for a busy machine. Close it: nothing is left."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        self._settings = StackSettings(home=home, port_base=free_port_base(BASES), store="couchbase")
        with (home.parent / "jars.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ensure_test_server(self._settings)
        self.url = f"{self._settings.store_url}&timeout_ms=20000"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Empty, on the same ports as ever."""
        component = couchbase(self._settings)
        log = self._settings.log(component.name)
        self._process = spawn(
            component.command,
            home=self._settings.home,
            component=component.name,
            log=log,
            env=component.env,
        )
        assert wait_until(component.ready, 120), log.read_text()[-2000:]

    def kill(self) -> None:
        """As a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def close(self) -> None:
        """Kill it and remove its home."""
        self.kill()
        shutil.rmtree(self._settings.home)


def empty(url: str) -> None:
    """Delete every row; before the first instant nothing has expired."""
    with closing(open_store(url, lambda: 0.0)) as store:
        store.put_many([(key, None) for key, _ in store.scan()])
