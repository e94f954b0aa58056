"""Work for processes of a sweep that needs no model: notes in a folder."""

import time
from collections.abc import Callable
from pathlib import Path

from schemas.errors import ModelUnavailable
from training.components.stopping import Stop
from training.rl.sweep.lock import held


def take_one(folder: Path, stop: Stop) -> None:
    """Take the first free of two places, and keep it until both are taken."""
    for place in ("a", "b"):
        with held(folder / place) as free:
            if free:
                (folder / f"{place}.taken").touch()
                until(lambda: len(list(folder.glob("*.taken"))) == 2 or stop.asked)
                return


def until_stopped(folder: Path, stop: Stop) -> None:
    """Note the start, wait for a stop, note it."""
    (folder / "begun").touch()
    until(lambda: stop.asked)
    (folder / "stopped").touch()


def one_fails(folder: Path, stop: Stop) -> None:
    """Fail in the process that is first; the other waits for a stop."""
    with held(folder / "first") as free:
        if free:
            until((folder / "begun").exists)
            raise ModelUnavailable("the ranker is down")
        until_stopped(folder, stop)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():
        time.sleep(0.01)
