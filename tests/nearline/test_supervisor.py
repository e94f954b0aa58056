"""The supervisor over small real processes."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from nearline.stack import processes
from nearline.stack.component import Component, Submission
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from nearline.stack.supervisor import ComponentFailed, Supervisor

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[StackSettings]:
    made = StackSettings(home=tmp_path / "stack")
    made.save()
    yield made
    processes.reap(made.home)


def sleeper(
    settings: StackSettings, name: str = "sleeper", code: str = "import time; time.sleep(60)"
) -> Component:
    return Component(
        name=name,
        command=(sys.executable, "-c", code),
        ready=lambda: bool(processes.marked(settings.home, name)),
        ready_timeout_s=5.0,
    )


def pid_of(settings: StackSettings, name: str = "sleeper") -> int:
    (pid,) = [state["pid"] for state in read_state(settings.home) if state["name"] == name]
    assert isinstance(pid, int)
    return pid


def until_restarted(supervisor: Supervisor, settings: StackSettings, old: int, name: str = "sleeper") -> int:
    def restarted() -> bool:
        supervisor.step(time.monotonic())
        supervisor.write_state()
        found = [s["pid"] for s in read_state(settings.home) if s["name"] == name]
        return found not in ([old], [None])

    assert processes.wait_until(restarted, 20)
    return pid_of(settings, name)


def test_a_killed_component_is_started_again_and_its_death_is_told(
    settings: StackSettings, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(settings, [[sleeper(settings)]])
    supervisor.start()
    first = pid_of(settings)
    os.kill(first, signal.SIGKILL)
    second = until_restarted(supervisor, settings, first)
    supervisor.stop()
    assert second != first
    assert "sleeper was killed by signal 9" in caplog.text


def test_what_dies_with_a_component_starts_anew_with_it_and_the_rest_stays(
    settings: StackSettings,
) -> None:
    follower = replace(sleeper(settings, "follower"), restarts_with="sleeper")
    supervisor = Supervisor(settings, [[sleeper(settings), follower, sleeper(settings, "bystander")]])
    supervisor.start()
    pids = {name: pid_of(settings, name) for name in ("sleeper", "follower", "bystander")}
    os.kill(pids["sleeper"], signal.SIGKILL)
    assert until_restarted(supervisor, settings, pids["sleeper"]) != pids["sleeper"]
    assert until_restarted(supervisor, settings, pids["follower"], "follower") != pids["follower"]
    assert pid_of(settings, "bystander") == pids["bystander"]
    supervisor.stop()


def test_orphans_of_a_killed_component_are_reaped(settings: StackSettings) -> None:
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(61)']); time.sleep(60)"
    supervisor = Supervisor(settings, [[sleeper(settings, code=code)]])
    supervisor.start()
    assert processes.wait_until(lambda: len(processes.marked(settings.home, "sleeper")) == 2, 10)
    first = pid_of(settings)
    (orphan,) = [p.pid for p in processes.marked(settings.home, "sleeper") if p.pid != first]
    os.kill(first, signal.SIGKILL)
    until_restarted(supervisor, settings, first)
    assert not psutil.pid_exists(orphan)
    supervisor.stop()


def test_nothing_is_left_after_a_stop(settings: StackSettings) -> None:
    stubborn = sleeper(
        settings, code="import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    )
    component = Component(
        name=stubborn.name, command=stubborn.command, ready=stubborn.ready, stop_timeout_s=0.5
    )
    supervisor = Supervisor(settings, [[component]])
    supervisor.start()
    supervisor.stop()
    assert processes.marked(settings.home) == []


def test_a_component_that_dies_at_its_start_is_named_with_its_last_lines(settings: StackSettings) -> None:
    broken = Component(
        name="broken",
        command=(sys.executable, "-c", "print('no such disk'); raise SystemExit(3)"),
        ready=lambda: False,
    )
    with pytest.raises(ComponentFailed, match=r"(?s)broken ended with exit status 3.*no such disk"):
        Supervisor(settings, [[broken]]).start()


def test_a_second_wave_waits_for_the_first(settings: StackSettings) -> None:
    order: list[str] = []
    parts = [sleeper(settings, name) for name in ("first", "second")]
    waves = [
        [Component(name=p.name, command=p.command, ready=p.ready, on_ready=lambda p=p: order.append(p.name))]  # type: ignore[misc]
        for p in parts
    ]
    supervisor = Supervisor(settings, waves)
    supervisor.start()
    supervisor.stop()
    assert order == ["first", "second"]


def test_what_vanishes_from_its_host_is_submitted_again(settings: StackSettings, tmp_path: Path) -> None:
    job = tmp_path / "submitted"
    submission = Submission(
        name="job",
        command=(sys.executable, "-c", f"import pathlib; pathlib.Path({str(job)!r}).touch()"),
        present=job.exists,
        ready=job.exists,
        cancel=lambda: job.unlink(missing_ok=True),
        ready_timeout_s=10.0,
    )
    supervisor = Supervisor(settings, [[submission]])
    supervisor.start()
    job.unlink()

    def back() -> bool:
        supervisor.step(time.monotonic())
        return job.exists()

    assert processes.wait_until(back, 15)
    supervisor.stop()
    assert not job.exists()


def test_an_unreachable_host_is_not_sent_the_same_job_twice(settings: StackSettings, tmp_path: Path) -> None:
    job = tmp_path / "submitted"
    submission = Submission(
        name="job",
        command=(sys.executable, "-c", f"import pathlib; pathlib.Path({str(job)!r}).touch()"),
        present=lambda: None,
        ready=lambda: True,
        cancel=lambda: None,
    )
    supervisor = Supervisor(settings, [[submission]])
    supervisor.start()
    supervisor.step(time.monotonic() + 10)
    supervisor.write_state()
    assert read_state(settings.home)[0]["restarts"] == 0
    assert processes.wait_until(lambda: not processes.marked(settings.home, "job"), 10)
    assert not job.exists()
