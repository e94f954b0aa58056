"""What our Kafka processes share at their start: the command line's common part, logs, and a clean stop."""

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from kafka.errors import KafkaError

from schemas.errors import ConfigError, NearlineError
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import KafkaSettings
from streaming.process import options
from streaming.process.options import Option

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """What every member of a consumer group is told."""

    kafka: KafkaSettings
    store_url: str
    group: str
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    instance_id: str = "1"
    session_timeout_s: float = 45.0
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    max_poll_records: int = 500


_OPTIONS = (
    Option(
        "store_url", "feature store, as lmdb:///absolute/path or couchbase://host/bucket", "--store", "URL"
    ),
    Option(
        "instance_id",
        "this instance's stable name within its group (static membership: a restart under the same name takes "
        "its partitions back at once; two processes must never share one)",
    ),
    Option(
        "session_timeout_s",
        "after so long without a sign of life the group gives this instance's partitions away",
    ),
    Option("metrics_port", "Prometheus' /metrics; 0 is off"),
    Option("metrics_host", "address that it listens on; in a pod 0.0.0.0"),
)


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A command line with the options of `MemberSettings`."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    options.add_connections(made, f"read Confluent framing too, and write it; credentials in {AUTH}")
    options.add(made, MemberSettings, _OPTIONS)
    # for the fault tests (streaming/process/fault_probe.py)
    made.add_argument("--crash-at", default="", help=argparse.SUPPRESS)
    return made


def start_logging() -> None:
    """Our own lines at INFO, the clients' warnings."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    quiet_clients()


def quiet_clients() -> None:
    """Of the clients' lines only the warnings: httpx tells of every request."""
    for client in ("kafka", "httpx", "httpcore"):
        logging.getLogger(client).setLevel(logging.WARNING)
    # it warns whenever the machine is busy for a tenth of a second
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)


def work_until_stopped(work: Callable[[Callable[[], bool]], None]) -> int:
    """Run `work` until SIGTERM or SIGINT; the process's exit status: 2 for a setting, 1 for what a restart may cure."""
    start_logging()
    stop = stop_on_signals()
    try:
        work(stop.is_set)
    except (NearlineError, KafkaError) as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400  (the message says what to do)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; loops look at it between their turns."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
