"""Start and end of a Kafka process: logging, a clean stop on SIGTERM and SIGINT, and the exit status."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from kafka.errors import KafkaError

from schemas.errors import NearlineError, exit_status

log = logging.getLogger(__name__)

#: Shorter than the patience of whoever sends SIGTERM: 20 s in the local stack, 30 s in Kubernetes.
GRACE_S = 15.0
WATCH_S = 0.5


def start_logging() -> None:
    """Log this project's lines from INFO on, and the clients' lines from WARNING on."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    quiet_clients()


def quiet_clients() -> None:
    """Log only warnings and errors of kafka-python and httpx; httpx would log a line for every request."""
    for client in ("kafka", "httpx", "httpcore"):
        logging.getLogger(client).setLevel(logging.WARNING)
    # kafka-python's selector warns whenever a busy machine delays it by a tenth of a second
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    # it repeats ten times a second that a topic is missing, which `TopicWatch` says once
    logging.getLogger("kafka.cluster").addFilter(_says_more_than_missing)


def _says_more_than_missing(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Topic %s not found")


def work_until_stopped(work: Callable[[Callable[[], bool]], None]) -> int:
    """Run `work(stopped)` and return the exit status: 0, 2 for a setting that cannot work, 1 for an outage.

    `stopped()` becomes true at SIGTERM or SIGINT; `GRACE_S` later the process ends with status 1 whatever it waits for.
    An outage is what a restart of the process may end.
    """
    start_logging()
    stop = stop_on_signals()
    try:
        with _ended_soon_after(stop):
            work(stop.is_set)
    except (NearlineError, KafkaError) as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400  (the message says what to do)
        return exit_status(error)
    return 0


@contextmanager
def _ended_soon_after(stop: "StopRequest") -> Iterator[None]:
    """End this process `GRACE_S` after it was asked to stop unless the block has ended: a call may never return."""
    done = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if done.wait(WATCH_S):
                return
        if not done.wait(GRACE_S):
            log.error(
                "not stopped after %g s, so that the process ends at once; it loses no message", GRACE_S
            )
            os._exit(1)

    threading.Thread(target=watch, name="grace", daemon=True).start()
    try:
        yield
    finally:
        done.set()


class StopRequest:
    """Whether the process was asked to stop.

    It has no lock, as `threading.Event` has: a second signal that arrives while the first is handled would wait for it
    for ever. `timeout`, for one, sends two.
    """

    def __init__(self) -> None:
        self._asked = False

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Handle a signal."""
        self._asked = True


def stop_on_signals() -> StopRequest:
    """Return what SIGTERM and SIGINT set; a loop checks it between its turns."""
    stop = StopRequest()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.ask)
    return stop
