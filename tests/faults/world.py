"""A stack under load: sends rounds of the sample stream until told to stop, kills components, waits for the end."""

import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Self

import httpx
import psutil
from kafka import TopicPartition
from kafka.errors import KafkaError

from nearline.stack import processes
from nearline.stack.component import answers
from nearline.stack.flink import jobs
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from schemas.errors import BrokersUnavailable
from schemas.events import BrokenLine, read_events, read_searches
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka.lag import committed, lag
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import (
    ALERT_GROUP,
    FEATURE_GROUP,
    FEATURES,
    MATCHER_GROUP,
    SCORE_REQUESTS,
    UPDATES,
)
from streaming.tools.observer import Observer
from streaming.tools.replay import ReplayProgress, replay_updates, send_searches

SAMPLE = Path(__file__).parents[2] / "nearline" / "sample"
Event = PostingUpdate | BrokenLine


def sample_searches() -> list[SavedSearch]:
    """The sample's searches without a daily limit, as equality runs need them."""
    return [replace(search, top_k=0) for search in read_searches(SAMPLE / "searches.jsonl")]


def rounds(seed: int) -> Iterator[Event]:
    """The sample's events again and again, each round with postings of its own, shuffled, a tenth of them twice."""
    rng = random.Random(seed)
    events = list(read_events(SAMPLE / "stream.jsonl"))
    number = 0
    while True:
        number += 1
        batch = [_renamed(event, number) for event in events]
        batch += rng.sample(batch, len(batch) // 10)
        rng.shuffle(batch)
        yield from batch


def _renamed(event: Event, number: int) -> Event:
    return (
        event if isinstance(event, BrokenLine) else replace(event, posting_id=f"{event.posting_id}~{number}")
    )


@dataclass(slots=True)
class Load:
    """Sends events in the background until `stop`; remembers what it sent.

    As the sender of a file would, it sends again what no broker has acknowledged, `failures` times.
    """

    kafka: KafkaSettings
    seed: int
    rate_per_s: float
    failures: int = 0
    sent: list[Event] = field(default_factory=list)
    _rounds: Iterator[Event] = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._rounds = rounds(self.seed)

    def start(self) -> None:
        """Begin, or go on after a stop."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def stop(self) -> list[Event]:
        """Stop after the present event; returns all, which the brokers have acknowledged."""
        self._stopping.set()
        assert self._thread is not None
        self._thread.join(300)
        assert not self._thread.is_alive()
        return self.sent

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """A test that failed leaves no sender behind to disturb the next."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(120)

    def _send(self) -> None:
        acknowledged = len(self.sent)
        while True:
            progress = ReplayProgress()
            events = enumerate(chain(self.sent[acknowledged:], self._until_stopped()), start=1)
            try:
                replay_updates(self.kafka, events, rate_per_s=self.rate_per_s, progress=progress)
            except (BrokersUnavailable, KafkaError):
                self.failures += 1
                acknowledged += progress.acknowledged
                time.sleep(1.0)
            else:
                return

    def _until_stopped(self) -> Iterator[Event]:
        for event in self._rounds:
            self.sent.append(event)
            yield event
            if self._stopping.is_set():
                return


def begin(stack: StackSettings, seed: int, rate_per_s: float) -> Load:
    """Subscribe the searches; the load starts with the `with` block."""
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    send_searches(kafka, sample_searches())
    return Load(kafka, seed, rate_per_s)


def kill(stack: StackSettings, component: str) -> None:
    """`kill -9` of the component's own process; its children are left to whoever has to reap them."""
    pids = {state["name"]: state["pid"] for state in read_state(stack.home)}
    pid = pids[component]
    if isinstance(pid, int) and psutil.pid_exists(pid):
        psutil.Process(pid).kill()


def kill_python_worker(stack: StackSettings, rng: random.Random) -> None:
    """`kill -9` of one Python worker of the feature job."""
    workers = [p for p in processes.marked(stack.home, "taskmanager") if "beam_boot" in " ".join(p.cmdline())]
    if workers:
        rng.choice(workers).kill()


def kill_at(stack: StackSettings, step: str, timeout_s: float = 120.0) -> None:
    """`kill -9` of whichever process comes to `step` next (streaming/process/fault_probe.py)."""
    order = Path(stack.crash_at.removeprefix("@"))
    draft = order.with_suffix(".draft")
    draft.write_text(step)
    draft.rename(order)
    assert processes.wait_until(lambda: not order.exists(), timeout_s, 0.01), f"no process came to {step}"


def kill_before_commit(stack: StackSettings, watch: Observer, timeout_s: float = 120.0) -> None:
    """`kill -9` of the TaskManager while outcomes are out whose offsets are not committed, and stay so."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        watch.poll(0.2)
        if _uncommitted(stack, watch):
            kill(stack, "taskmanager")
            if _uncommitted(stack, watch):
                return
            await_health(stack, time.time() + 1.0)
    raise AssertionError(f"no outcome was ahead of its commit in {timeout_s} s")


def _uncommitted(stack: StackSettings, watch: Observer) -> bool:
    """Whether a source offset has an outcome and no commit."""
    done = committed(KafkaSettings(bootstrap=stack.bootstrap), FEATURE_GROUP)
    places = (source.split("/") for source in watch.seen.outcomes)
    return any(int(offset) >= done.get(TopicPartition(topic, int(p)), 0) for topic, p, offset in places)


def freeze(stack: StackSettings, component: str, seconds: float) -> None:
    """Stop the component's process for a while, as a machine that swaps or a GPU that hangs would."""
    pid = next(state["pid"] for state in read_state(stack.home) if state["name"] == component)
    assert isinstance(pid, int)
    process = psutil.Process(pid)
    process.suspend()
    time.sleep(seconds)
    process.resume()


class OwnModelServer:
    """The instant models behind a server that no supervisor brings back."""

    def __init__(self, home: Path, port: int, tokenizer: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._home = home / "models"
        options = ("--instant", "--tokenizer", str(tokenizer), "--port", str(port))
        self._command = (sys.executable, "-m", "models.server", *options)

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self._home / "models.log"
        self._process = processes.spawn(self._command, home=self._home, component="models", log=log, env={})
        assert processes.wait_until(lambda: answers(f"{self.url}/health"), 60)

    def stop(self) -> None:
        """Stop it at once."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def job_restarts(stack: StackSettings) -> int:
    """How often Flink restarted the feature job; the JobManager collects metrics only once somebody asks for them."""
    (job,) = jobs(stack) or []
    url, found = f"{stack.flink_url}/jobs/{job['jid']}/metrics?get=numRestarts", list[dict[str, str]]()

    def collected() -> bool:
        found[:] = httpx.get(url).json()
        return bool(found)

    assert processes.wait_until(collected, 60, 1.0), "no numRestarts from the JobManager"
    return int(found[0]["value"])


def await_health(stack: StackSettings, since: float, timeout_s: float = 300.0) -> None:
    """Until the supervisor, asked after `since`, calls everything healthy."""

    def healthy() -> bool:
        fresh = (stack.home / "state.json").stat().st_mtime > since
        return fresh and all(state["healthy"] for state in read_state(stack.home))

    assert processes.wait_until(healthy, timeout_s, 0.5), read_state(stack.home)


def await_end(stack: StackSettings, events: int, timeout_s: float = 900.0) -> Observer:
    """Until every event has an outcome and nothing waits between the components."""
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    observer = Observer(kafka)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        arrived = observer.poll(0.5)
        if arrived or len(observer.seen.outcomes) < events:
            continue
        if lag(kafka, FEATURE_GROUP, UPDATES.name):  # an event that was sent twice has two outcomes
            continue
        if not lag(kafka, MATCHER_GROUP, FEATURES.name) and not lag(kafka, ALERT_GROUP, SCORE_REQUESTS.name):
            return observer
    raise AssertionError(
        f"{len(observer.seen.outcomes)} of {events} updates have an outcome after {timeout_s} s"
    )
