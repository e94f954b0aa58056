"""Several processes that work on one sweep; they end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from schemas.errors import NearlineError
from training.components.stopping import Stop, stopping

Work = Callable[[Stop], object]
"""What a process does until it is done or a stop is asked; pickled, so a function of a module, or a partial of one."""

LOOK_S = 0.5
"""Between two looks at whether a stop was asked."""


def in_processes(work: Work, processes: int, stop: Stop) -> None:
    """Run `work` in so many processes; a stop ends all of them after their present step.

    Raises the first error of a process once the others have stopped, and whatever ends this process ends them too.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    started = [context.Process(target=_child, args=(work, sender)) for _ in range(processes)]
    try:
        for process in started:
            process.start()
        failed = _watch(started, receiver, stop)
    finally:
        _end(started)
    if failed:
        raise failed


def _watch(started: Sequence[SpawnProcess], receiver: Connection, stop: Stop) -> Exception | None:
    """Wait until all have ended; ask all to stop once, when a stop is asked or one has failed."""
    failed: Exception | None = None
    asked = False
    while running := [process for process in started if process.is_alive()]:
        if (stop.asked or failed) and not asked:
            _end_soon(running)
            asked = True
        wait([process.sentinel for process in running], timeout=LOOK_S)
        failed = failed or _failure(started, receiver)
    return failed or _failure(started, receiver)


def _failure(started: Sequence[SpawnProcess], receiver: Connection) -> Exception | None:
    if receiver.poll():
        error: Exception = receiver.recv()
        return error
    died = [process.exitcode for process in started if process.exitcode not in {None, 0, -signal.SIGTERM}]
    return (
        NearlineError(f"a process of the sweep died with status {died[0]}: run the command again")
        if died
        else None
    )


def _end_soon(processes: Sequence[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()


def _end(processes: Sequence[SpawnProcess]) -> None:
    """End what still runs, after an error or a second Ctrl-C."""
    running = [process for process in processes if process.is_alive()]
    _end_soon(running)
    for process in running:
        process.join()


def _child(work: Work, errors: Connection) -> None:
    """Work in a session of its own, so that the terminal's Ctrl-C reaches only the process that passes it on."""
    os.setsid()
    with stopping() as stop:
        threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
        try:
            work(stop)
        except NearlineError as error:
            errors.send(error)


def _end_with_parent(stop: Stop) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        stop.signal = signal.SIGTERM
