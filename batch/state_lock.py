"""Keep a second backfill from working with the same folder of progress files at the same time."""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batch.split_folder import Folder
from schemas.errors import ConfigError

LOCK = "in_use"
#: How often a backfill renews its note in a remote folder, and the age from which a note is one of a killed backfill.
RENEW_S, OLD_S = 20.0, 60.0


@contextmanager
def held(state: str, tell: Callable[[str], object], clock: Callable[[], float] = time.time) -> Iterator[None]:
    """Hold the state folder while the body runs.

    A local folder has a lock that ends with its process: a second backfill raises ConfigError. A remote folder (URI)
    has no locks, so there a note is renewed, and a fresh note of another backfill is told.
    """
    with _noted(state, tell, clock) if "://" in state else _locked(Path(state)):
        yield


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ConfigError(
                f"another backfill ({file.read().strip() or 'just starting'}) works with {state}: wait until it ends, or "
                "give this one another --state"
            ) from error
        file.truncate(0)
        file.write(_name())
        file.flush()
        yield


@contextmanager
def _noted(state: str, tell: Callable[[str], object], clock: Callable[[], float]) -> Iterator[None]:
    folder, ended = Folder(state), threading.Event()
    note = json.loads(folder.read(LOCK) or b"{}")
    if clock() - note.get("at", 0.0) < OLD_S:
        tell(
            f"warning: another backfill ({note['by']}) may work with {state}: unless it was killed a moment ago, end one "
            "of the two, or give this one another --state"
        )

    def renew() -> None:
        folder.write(LOCK, json.dumps({"by": _name(), "at": clock()}).encode())

    def keep() -> None:
        while not ended.wait(RENEW_S):
            renew()

    renew()
    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        folder.delete(LOCK)


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
