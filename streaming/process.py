"""What our Kafka processes share at their start: the command line's common part, logs, and a clean stop."""

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

from kafka.errors import KafkaError

from schemas.errors import ConfigError, NearlineError

log = logging.getLogger(__name__)


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A command line with the options that every Kafka process has."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--bootstrap", default="127.0.0.1:9092", help="Kafka brokers, host:port,host:port")
    made.add_argument(
        "--store", required=True, help="feature store, as lmdb:///absolute/path or couchbase://host/bucket"
    )
    made.add_argument(
        "--schema-registry",
        default="",
        metavar="URL",
        help="read Confluent framing too, and write it; http://host:port; credentials in NEARLINE_SCHEMA_REGISTRY_AUTH",
    )
    made.add_argument(
        "--instance-id",
        default="1",
        help="this instance's stable name within its group (static membership: a restart under the same name takes "
        "its partitions back at once; two processes must never share one)",
    )
    made.add_argument(
        "--session-timeout-s",
        type=float,
        default=45.0,
        help="after so long without a sign of life the group gives this instance's partitions away",
    )
    # for the fault tests (streaming/crash.py)
    made.add_argument("--crash-at", default="", help=argparse.SUPPRESS)
    made.add_argument("--metrics-port", type=int, default=0, help="Prometheus on 127.0.0.1; 0 is off")
    return made


def start_logging() -> None:
    """Our own lines at INFO, the clients' warnings."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
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
