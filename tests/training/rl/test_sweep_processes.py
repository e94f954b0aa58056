"""Processes of a sweep share its runs, stop together, and tell the error of any."""

import threading
from functools import partial
from pathlib import Path

import pytest

from schemas.errors import ModelUnavailable
from tests.training.rl.sweep_work import one_fails, take_one, until, until_stopped
from training.components.stopping import Stop
from training.rl.sweep.processes import in_processes


def test_each_process_takes_what_no_other_has(tmp_path: Path) -> None:
    in_processes(partial(take_one, tmp_path), 2, Stop())
    assert {path.name for path in tmp_path.glob("*.taken")} == {"a.taken", "b.taken"}


def test_a_stop_reaches_every_process(tmp_path: Path) -> None:
    stop = Stop()

    def ask() -> None:
        until((tmp_path / "begun").exists)
        stop.signal = 15

    thread = threading.Thread(target=ask)
    thread.start()
    in_processes(partial(until_stopped, tmp_path), 1, stop)
    thread.join()
    assert (tmp_path / "stopped").exists()


def test_the_error_of_one_process_stops_the_others_and_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="the ranker is down"):
        in_processes(partial(one_fails, tmp_path), 2, Stop())
    assert (tmp_path / "stopped").exists()
