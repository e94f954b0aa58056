"""Fill `postings.updates` fast: several processes generate, encode and produce updates through librdkafka."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from confluent_kafka import Producer

from benchmarks.common.updates import Feed, messages
from streaming.kafka import topics

#: Java's default partitioner, which kafka-python uses as well.
PARTITIONER = "murmur2_random"


def load(bootstrap: str, feed: Feed, processes: int = 2) -> float:
    """Produce the whole feed; returns the seconds that it took. A posting's updates stay in order."""
    began = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        sent = sum(
            pool.map(
                _load_share, *zip(*((bootstrap, feed, n, processes) for n in range(processes)), strict=True)
            )
        )
    if sent != feed.updates:
        raise RuntimeError(f"{sent} of {feed.updates} updates were acknowledged")
    return time.monotonic() - began


def _load_share(bootstrap: str, feed: Feed, share: int, shares: int) -> int:
    """Produce one process's boards; returns how many messages the broker acknowledged."""
    acknowledged = 0

    def count(error: object, _message: object) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": PARTITIONER,
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "enable.idempotence": True,
            "log_level": 3,  # without the warnings while the broker elects a coordinator
        }
    )
    for key, value in messages(feed, share, shares):
        while True:
            try:
                producer.produce(topics.UPDATES.name, value=value, key=key, on_delivery=count)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    return acknowledged
