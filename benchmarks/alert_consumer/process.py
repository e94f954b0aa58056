"""Runs the alert consumer as a process: requests are on the topic before it starts, alerts and offsets come out."""

import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import psutil
from confluent_kafka import Producer

from benchmarks.alert_consumer.requests import Prepared
from benchmarks.alert_consumer.step import Speed, one_core
from benchmarks.common.broker import Offsets, empty
from benchmarks.common.load import PARTITIONER
from nearline.stack.processes import reap, spawn, stop, tail
from nearline.stack.settings import StackSettings
from schemas.codec import encode
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import ALERTS, SCORE_REQUESTS
from streaming.tools.observer import Observer

LOOK_S = 0.1
STALL_S = 60.0


def through_kafka(prepared: Prepared, broker: StackSettings, home: Path) -> Speed:
    """From its first commit to its last, the process held to one core; the broker has the others.

    Raises RuntimeError when not just the expected pairs alert, TimeoutError when nothing moves.
    """
    empty(broker.bootstrap, (SCORE_REQUESTS, ALERTS))
    _send(prepared, broker.bootstrap)
    group, log = f"bench-{uuid.uuid4()}", home / "logs" / "consumer.log"
    command = [
        *(sys.executable, "-m", "streaming.alert_consumer", "--bootstrap", broker.bootstrap),
        *("--store", prepared.store_url, "--cache", prepared.cache_url, "--ranker", "instant:"),
        *("--group", group),
    ]
    started = spawn(command, home=home, component="consumer", log=log, env={})
    try:
        with closing(Offsets(broker.bootstrap, group)) as offsets, one_core(psutil.Process(started.pid)):
            speed = _watch(
                psutil.Process(started.pid), offsets, len(prepared.requests), prepared.candidates, log
            )
    finally:
        stop(started, 10)
        reap(home)
    _check(prepared, broker.bootstrap)
    return speed


def _send(prepared: Prepared, bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER, "linger.ms": 20})
    for request in prepared.requests:
        producer.produce(SCORE_REQUESTS.name, key=request.search.search_id.encode(), value=encode(request))
        producer.poll(0)
    producer.flush()


def _watch(process: psutil.Process, offsets: Offsets, requests: int, candidates: int, log: Path) -> Speed:
    """Between the first look that sees a commit and the one that sees the last."""
    first: tuple[int, float, float] | None = None
    done, moved_s = 0, time.monotonic()
    while done < requests:
        time.sleep(LOOK_S)
        now_s, seen = time.monotonic(), offsets.committed(SCORE_REQUESTS)
        if seen > done:
            done, moved_s = seen, now_s
            first = first or (seen, now_s, _cpu_s(process))
        if now_s - moved_s > STALL_S:
            raise TimeoutError(f"{done} of {requests} requests, and none for {STALL_S:.0f} s:\n{tail(log)}")
    if first is None or first[0] == requests:
        raise ValueError("all requests were settled at once: give more of them")
    counted = candidates * (requests - first[0]) / requests
    return Speed(by_clock=counted / (moved_s - first[1]), by_processor=counted / (_cpu_s(process) - first[2]))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _check(prepared: Prepared, bootstrap: str) -> None:
    with closing(Observer(KafkaSettings(bootstrap=bootstrap))) as observer:
        while len(observer.seen.alerts) < prepared.alerts and observer.poll(5.0):
            pass
        observer.poll(1.0)
        seen = observer.seen
    if len(seen.alerts) != prepared.alerts or seen.duplicate_alert_ids:
        raise RuntimeError(f"expected {prepared.alerts} alerts, found {len(seen.alerts)}")
