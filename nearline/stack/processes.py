"""Processes with a mark in their environment: all are found and ended, also orphans of a killed parent."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

#: Environment variables by which every process of a stack, and every child of one, is recognised.
STACK_MARK, COMPONENT_MARK = "NEARLINE_STACK", "NEARLINE_COMPONENT"


def spawn(
    command: Sequence[str], *, home: Path, component: str, log: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a marked process in a session of its own, appending what it prints to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    marks = {STACK_MARK: str(home.resolve()), COMPONENT_MARK: component}
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env, **marks},
            start_new_session=True,
        )


def marked(home: Path, component: str | None = None) -> list[psutil.Process]:
    """Living processes of the stack in `home` (of one component), this one excluded."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            env = process.environ()
            if env.get(STACK_MARK) == str(home.resolve()) and component in {None, env.get(COMPONENT_MARK)}:
                found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def reap(home: Path, component: str | None = None) -> int:
    """Kill what is left of a stack or of one component; returns how many processes there were."""
    left = marked(home, component)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return len(left)


def stop(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """SIGTERM, then SIGKILL to the whole session after `timeout_s`."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file, for a message about a crash."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def wait_until(condition: Callable[[], bool], timeout_s: float, interval_s: float = 0.2) -> bool:
    """Poll until `condition()` holds; False when `timeout_s` passed."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval_s)
    return True
