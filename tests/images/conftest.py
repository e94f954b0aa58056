"""The services of the compose file, started once from their images in the order that the file says."""

import shutil
import socket
from collections.abc import Iterator

import pytest

from nearline.stack.processes import wait_until
from streaming.kafka import clients
from streaming.kafka.settings import KafkaSettings
from tests.docker.manifests import DOCKER
from tests.images import network, parts
from tests.images.composed import Composed

HOME = DOCKER.parent / "build" / "images"
SAMPLE = DOCKER.parent / "nearline" / "sample"
#: Where the test itself reaches the broker: its inside listener, since it stands on the services' own network.
KAFKA = KafkaSettings(bootstrap="kafka:9092")


@pytest.fixture(scope="session")
def composed() -> Iterator[Composed]:
    """Kafka and Couchbase's test server on the compose file's network; nothing else is started yet."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    parts.fetch()
    network.make(HOME / "hosts")
    made = Composed(HOME, parts.REPLACED, {"/catalog": SAMPLE})
    servers = [parts.kafka(HOME), parts.couchbase(HOME)]
    try:
        assert wait_until(_broker_answers, 300, 1.0), made.log("kafka").read_text()[-2000:]
        yield made
    finally:
        made.close()
        for server in servers:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
def system(composed: Composed) -> Composed:
    """Everything that `up --wait` starts, healthy by its own health checks."""
    composed.start("topics")
    assert composed.finish("topics", 300) == 0, composed.log("topics").read_text()
    composed.start("models")
    composed.await_health("models", 900)
    composed.start("jobmanager")
    composed.start("matcher")
    composed.start("alert-consumer")
    composed.start("taskmanager")
    for name in ("jobmanager", "matcher", "alert-consumer"):
        composed.await_health(name, 900)
    return composed


def _broker_answers() -> bool:
    """The port is tried first, because kafka-python leaks the socket of an attempt that nobody answers."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((network.address("kafka"), 9092)):
            return False
    with clients.reader(KAFKA) as consumer:
        return isinstance(consumer.topics(), set)
