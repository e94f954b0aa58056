"""Start, watch, restart and stop the components of one stack."""

import contextlib
import json
import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.writing import write_whole
from nearline.stack import processes
from nearline.stack.component import Component, Submission
from nearline.stack.settings import StackSettings
from schemas.backoff import Backoff
from schemas.errors import NearlineError

Clock = Callable[[], float]
logger = logging.getLogger("nearline.stack")

#: A component that exits within this time of its start waits longer before its next start.
_STABLE_S = 30.0
_BACKOFF = Backoff(first_s=0.25, longest_s=10.0)


class ComponentFailed(NearlineError):
    """A component did not become ready; the message holds the last lines of its log."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    component: Component
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = -1
    early_exits: int = 0
    not_before: float = 0.0
    announced: bool = False
    healthy: bool = False
    last_exit: str = ""
    trouble: str = ""


@dataclass(slots=True, kw_only=True)
class _Submitted:
    submission: Submission
    submissions: int = 0
    not_before: float = 0.0
    healthy: bool = False
    client: subprocess.Popen[bytes] | None = None
    last_exit: str = ""


@dataclass(slots=True)
class Supervisor:
    """Starts and watches the processes of one stack.

    `step(now)` is one round: it restarts components that have exited and submits jobs that are missing.
    """

    settings: StackSettings
    waves: Sequence[Sequence[Component | Submission]]
    _watched: list[_Watched] = field(default_factory=list)
    _submitted: list[_Submitted] = field(default_factory=list)

    def start(self, clock: Clock = time.monotonic) -> None:
        """Start wave after wave, the parts of one wave together. ComponentFailed when a part does not become ready."""
        for wave in self.waves:
            logger.info("starting %s", ", ".join(part.name for part in wave))
            started = [self._begin(part, clock()) for part in wave]
            for part in started:
                self._await(part, clock)
                self.write_state()

    def step(self, now: float) -> None:
        """Restart components that have exited, and submit jobs that are missing."""
        for watched in self._watched:
            self._watch(watched, now)
        for submitted in self._submitted:
            self._resubmit(submitted, now)

    def check_health(self) -> None:
        """Check the health of every part, call `on_ready` of those that became ready, and write the state file."""
        for watched in self._watched:
            alive = _alive(watched)
            watched.healthy = alive and watched.component.ready()
            watched.trouble = watched.component.trouble() if alive and not watched.healthy else ""
            if watched.healthy and not watched.announced:
                # the component may exit during this call; then the next round calls it again
                with contextlib.suppress(NearlineError):
                    watched.component.on_ready()
                    watched.announced = True
        for submitted in self._submitted:
            submitted.healthy = submitted.submission.ready()
        self.write_state()

    def stop(self) -> None:
        """Stop all parts in reverse order; no process with this stack's mark runs afterwards."""
        for submitted in self._submitted:
            submitted.submission.cancel()
        for watched in reversed(self._watched):
            if watched.process is not None and _alive(watched):
                logger.info("stopping %s", watched.component.name)
                processes.stop(watched.process, watched.component.stop_timeout_s)
            watched.healthy = False
        processes.reap(self.settings.home)
        for submitted in self._submitted:
            if submitted.client is not None:
                submitted.client.wait(
                    10
                )  # reaped above; Python warns of a handle whose process it has not seen end
        self.write_state()

    def write_state(self) -> None:
        """Write the state file that `nearline status` reads, in one atomic step."""
        state = {
            "components": [*map(_component_state, self._watched), *map(_submission_state, self._submitted)],
            "written_s": time.monotonic(),
        }
        # not flushed to disk: after a power failure none of these processes exists
        write_whole(self.settings.home / "state.json", json.dumps(state), durable=False)

    def _begin(self, part: Component | Submission, now: float) -> _Watched | _Submitted:
        if isinstance(part, Submission):
            submitted = _Submitted(submission=part)
            self._submitted.append(submitted)
            return submitted
        watched = _Watched(component=part)
        self._watched.append(watched)
        self._spawn(watched, now)
        return watched

    def _await(self, part: _Watched | _Submitted, clock: Clock) -> None:
        if isinstance(part, _Submitted):
            self._await_submission(part, clock)
        else:
            self._await_component(part, clock)

    def _await_component(self, watched: _Watched, clock: Clock) -> None:
        component = watched.component
        deadline = clock() + component.ready_timeout_s
        while not component.ready():
            if not _alive(watched) or clock() > deadline:
                raise ComponentFailed(self._exit_message(component.name, watched))
            time.sleep(0.1)
        component.on_ready()
        watched.announced = watched.healthy = True

    def _await_submission(self, submitted: _Submitted, clock: Clock) -> None:
        submission = submitted.submission
        deadline = clock() + submission.ready_timeout_s
        while not submission.ready():
            self._resubmit(submitted, clock())
            if clock() > deadline or submitted.submissions > 2:
                raise ComponentFailed(self._exit_message(submission.name, None))
            time.sleep(0.2)
        submitted.healthy = True

    def _spawn(self, watched: _Watched, now: float) -> None:
        component = watched.component
        watched.process = processes.spawn(
            component.command,
            home=self.settings.home,
            component=component.name,
            log=self.settings.log(component.name),
            env=component.env,
        )
        watched.started, watched.announced = now, False
        watched.restarts += 1

    def _watch(self, watched: _Watched, now: float) -> None:
        if _alive(watched) or now < watched.not_before:
            return
        if watched.process is not None:
            self._handle_exit(watched, now)
        if now >= watched.not_before:
            self._spawn(watched, now)

    def _handle_exit(self, watched: _Watched, now: float) -> None:
        """After a component has exited: log its last lines, kill its child processes, and time its next start."""
        logger.warning("%s", self._exit_message(watched.component.name, watched))
        processes.reap(self.settings.home, watched.component.name)
        stable = now - watched.started > _STABLE_S
        watched.early_exits = 0 if stable else watched.early_exits + 1
        watched.not_before = now + _BACKOFF.wait_s(watched.early_exits + 1)
        watched.process, watched.healthy, watched.trouble = None, False, ""
        self._restart_dependents(watched.component.name)

    def _restart_dependents(self, name: str) -> None:
        """Kill the components that have to restart with the component `name`; the next round starts them again."""
        for other in self._watched:
            if other.component.restarts_with == name and other.process is not None and _alive(other):
                logger.warning("%s is restarted because %s exited", other.component.name, name)
                other.process.kill()
                other.process.wait()

    def _resubmit(self, submitted: _Submitted, now: float) -> None:
        """Submit a job that its host says is missing, unless a submission is under way."""
        client = submitted.client
        if client is not None:
            if client.poll() is None:
                return
            submitted.client, submitted.not_before = None, now + 1.0
            submitted.last_exit = f"exit {client.returncode}"
            if client.returncode:
                logger.warning("%s", self._exit_message(submitted.submission.name, None))
        if now < submitted.not_before:
            return
        submitted.not_before = now + 0.5
        if submitted.submission.present() is False:
            self._submit(submitted)

    def _submit(self, submitted: _Submitted) -> None:
        submission = submitted.submission
        logger.info("submitting %s", submission.name)
        submitted.submissions += 1
        submitted.client = processes.spawn(
            submission.command,
            home=self.settings.home,
            component=submission.name,
            log=self.settings.log(submission.name),
            env=submission.env,
        )

    def _exit_message(self, name: str, watched: _Watched | None) -> str:
        process = watched.process if watched else None
        status = "did not become ready" if process is None or process.poll() is None else _exit(process)
        if watched is not None:
            watched.last_exit = status
        last = processes.tail(self.settings.log(name))
        return f"{name} {status}; last lines of {self.settings.log(name)}:\n{last}"


def _alive(watched: _Watched) -> bool:
    return watched.process is not None and watched.process.poll() is None


def _exit(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return (
        f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit status {code}"
    )


def _component_state(watched: _Watched) -> dict[str, object]:
    return {
        "name": watched.component.name,
        "pid": watched.process.pid if watched.process else None,
        "healthy": watched.healthy,
        "restarts": max(0, watched.restarts),
        "last_exit": watched.last_exit,
        "trouble": watched.trouble,
    }


def _submission_state(submitted: _Submitted) -> dict[str, object]:
    return {
        "name": submitted.submission.name,
        "pid": None,
        "healthy": submitted.healthy,
        "restarts": max(0, submitted.submissions - 1),
        "last_exit": submitted.last_exit,
    }
