"""The ground of the feature job's tests: a cluster, a submitted job, and a stream with every kind of trouble."""

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from nearline.stack.component import Component
from nearline.stack.flink import feature_job, jobmanager, jobs, taskmanager
from nearline.stack.processes import reap, spawn, stop, tail, wait_until
from nearline.stack.settings import StackSettings
from schemas.codec import encode
from schemas.records import Op, Posting, PostingUpdate
from streaming.kafka import clients
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import UPDATES

#: Keys and values to produce.
Stream = Sequence[tuple[bytes, bytes | None]]

#: What no decoder accepts: noise, a cut record, a foreign schema, a tombstone and an empty value.
POISON = (b"\x00\xff noise", b"\xc3\x01" + bytes(8) + b"body", b"", None, b"\xc3\x01")


class Cluster:
    """A JobManager, a TaskManager and what a test adds, in the stack of `settings.home`."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, component: Component) -> None:
        """Start a component and wait until it works."""
        settings, log = self.settings, self.settings.log(component.name)
        self._running[component.name] = spawn(
            component.command, home=settings.home, component=component.name, log=log, env=component.env
        )
        assert wait_until(component.ready, 180), tail(log, 40)

    def kill_taskmanager(self) -> None:
        """`kill -9` it, take its Python workers away, and start another."""
        self._running["taskmanager"].kill()
        self._running["taskmanager"].wait()
        reap(self.settings.home, "taskmanager")
        self.start(taskmanager(self.settings))

    def failures(self) -> list[str]:
        """What failed in the running jobs; an entry too when the TaskManager is gone."""
        gone = [] if self._running["taskmanager"].poll() is None else ["the TaskManager is gone"]
        for job in jobs(self.settings) or []:
            if job["state"] not in {"CANCELED", "FINISHED"}:
                answer = httpx.get(f"{self.settings.flink_url}/jobs/{job['jid']}/exceptions", timeout=30.0)
                gone += [entry["stacktrace"] for entry in answer.json()["exceptionHistory"]["entries"]]
        return gone

    def close(self) -> None:
        """End all and whatever they left."""
        for process in self._running.values():
            stop(process, 10)
        reap(self.settings.home)


@contextmanager
def cluster(settings: StackSettings) -> Iterator[Cluster]:
    """A cluster that is gone afterwards, Python workers included."""
    made = Cluster(settings)
    try:
        made.start(jobmanager(settings))
        made.start(taskmanager(settings))
        yield made
    finally:
        made.close()


@contextmanager
def running_job(settings: StackSettings, store: Path, *options: str) -> Iterator[None]:
    """The feature job over a store of its own; cancelled and gone at the end."""
    job = feature_job(replace(settings, store=f"lmdb://{store}?sync=os&map_size=64M"))
    done = subprocess.run(
        [*job.command, *options], env={**os.environ, **job.env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        assert wait_until(job.ready, 180)
        yield
    finally:
        job.cancel()
        assert wait_until(lambda: job.present() is not True, 120)


def troubled_stream(rng: random.Random, postings: int, events: int) -> Stream:
    """(key, value) of each message: edits, closes, reopens, removals, repeats, old versions and poison."""
    made: list[tuple[bytes, bytes | None]] = []
    for n in range(events):
        posting_id = f"p{rng.randrange(postings)}"
        if rng.random() < 0.02:
            made.append((posting_id.encode(), rng.choice(POISON)))
        elif made and rng.random() < 0.1:
            made.append(rng.choice(made))
        else:
            made.append((posting_id.encode(), encode(_event(rng, posting_id, n))))
    return made


def _event(rng: random.Random, posting_id: str, n: int) -> PostingUpdate:
    op = rng.choices(list(Op), [8, 6, 2, 3, 2, 1])[0]
    version = 1_700_000_000_000_000 + 1000 * n - rng.choice([0, 0, 0, 400_000])
    bare = op in {Op.CLOSE, Op.REMOVE} or (op is Op.OPEN and rng.random() < 0.5)
    return PostingUpdate(
        posting_id=posting_id, version=version, op=op, posting=None if bare else _posting(rng)
    )


def _posting(rng: random.Random) -> Posting:
    trade = rng.choice(["Welder", "Nurse", "Baker", "Δάσκαλος", "看護師"])
    text = f"{trade} wanted, variant {rng.randrange(3)}. " * rng.choice([0, 1, 20])
    return Posting(
        title=trade, location=rng.choice(["Leeds", None]), salary=rng.choice(["10", "12"]), description=text
    )


def send(kafka: KafkaSettings, stream: Stream) -> list[str]:
    """Produce to `postings.updates`; the place of each message as outcomes name it."""
    producer = clients.producer(kafka)
    try:
        futures = [clients.send(producer, Outgoing(UPDATES.name, key, value)) for key, value in stream]
        producer.flush()
        written = [future.get(timeout=10) for future in futures]
    finally:
        producer.close()
    return [f"{w.topic}/{w.partition}/{w.offset}" for w in written]
