"""A real broker a test session (one a worker under xdist), with empty topics for every test that asks for `kafka`."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearline.stack.broker import broker
from nearline.stack.jars import ensure_jars
from nearline.stack.processes import reap, spawn, stop, wait_until
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port_base, listening
from streaming.kafka.settings import KafkaSettings
from tests.integration.kafka_stage import Stage, fresh_topics

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
BUILD = Path(__file__).parents[2] / "build"
#: Where a stack's ports may begin; a second stack of a test takes those a hundred above. Test runs begin at places that
#: differ, and the workers of one run lie apart, since they look for free ports at the same moment. All are below 32768,
#: where systems begin to take ports for outgoing connections.
BASES = range(10_000 + 1_000 * (os.getppid() % 15) + 200 * WORKER, 31_000, 200)


@pytest.fixture(scope="session")
def stack_settings() -> Iterator[StackSettings]:
    """A home of its own under `build/`, beside the shared jars, and ports that nothing listens on."""
    home = BUILD / f"integration-{os.getpid()}"
    home.mkdir(parents=True)
    settings = StackSettings(home=home, port_base=free_port_base(BASES))
    with (BUILD / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_jars(settings.jars)
    yield settings
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def broker_address(stack_settings: StackSettings) -> Iterator[KafkaSettings]:
    """A running broker."""
    component = broker(stack_settings)
    process = spawn(
        component.command,
        home=stack_settings.home,
        component="kafka",
        log=stack_settings.log("kafka"),
        env=component.env,
    )
    try:
        # kafka-python leaks the socket of an attempt that no one answers
        assert wait_until(lambda: listening(stack_settings.port("kafka")), 60)
        assert wait_until(component.ready, 60), stack_settings.log("kafka").read_text()[-2000:]
        yield KafkaSettings(bootstrap=stack_settings.bootstrap)
    finally:
        stop(process, 5)
        reap(stack_settings.home)


@pytest.fixture
def kafka(broker_address: KafkaSettings) -> KafkaSettings:
    """The broker with every topic of the table, new and empty."""
    fresh_topics(broker_address)
    return broker_address


@pytest.fixture
def stage(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Stage]:
    """Empty topics, an empty store and a group of its own."""
    made = Stage(kafka, tmp_path)
    yield made
    made.close()
