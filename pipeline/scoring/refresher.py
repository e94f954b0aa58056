"""Jobs that nobody waits for, done one after another in a thread of their own."""

import logging
import threading
from collections.abc import Callable
from queue import Full, Queue

log = logging.getLogger(__name__)

WAITING = 64


class Refresher:
    """A daemon thread that starts with the first job; a job that does not fit in its queue is refused."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._jobs: Queue[Callable[[], None]] = Queue(waiting)
        self._lock = threading.Lock()
        self._started = False

    def offer(self, job: Callable[[], None]) -> bool:
        """Whether the job will be done; an exception that it raises is logged."""
        try:
            self._jobs.put_nowait(job)
        except Full:
            return False
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="score-refresh", daemon=True).start()
        return True

    def settle(self) -> None:
        """Wait until all jobs offered so far are done."""
        self._jobs.join()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception:
                log.exception("a refresh of cached scores failed")
            finally:
                self._jobs.task_done()
