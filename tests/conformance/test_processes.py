import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.base import KeyValue
from tests.conformance.children import BATCH, COUNTERS, add_one
from tests.conformance.conftest import Backend

ROOT = Path(__file__).parents[2]


def child(*args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.conformance.children", *args]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def in_fork(work: Callable[[], None]) -> int:
    """The exit code of a forked child that runs `work`: 0, or 1 if it raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.timeout(60)
def test_two_writing_processes_lose_no_merge(shared: Backend) -> None:
    store = shared.open()
    with child("increment", shared.url, "60") as one, child("increment", shared.url, "60") as two:
        for _ in range(30):
            store.merge_many(COUNTERS, add_one)
    assert (one.returncode, two.returncode) == (0, 0)
    assert store.get_many(COUNTERS) == [b"150"] * len(COUNTERS)


@pytest.mark.timeout(60)
def test_a_reader_sees_each_batch_of_another_process_whole(shared: Backend) -> None:
    store = shared.open()
    seen = set()
    with child("increment", shared.url, "100") as writer:
        while writer.poll() is None:
            seen.add(tuple(store.get_many(COUNTERS)))
    assert writer.returncode == 0
    assert {len(set(values)) for values in seen} == {1}
    assert store.get_many(COUNTERS) == [b"100"] * len(COUNTERS)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(10))
def test_an_acknowledged_write_survives_kill_9_in_mid_write(shared: Backend, seed: int) -> None:
    store = shared.open()
    with child("write", shared.url) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(random.Random(seed).uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        acknowledged = 1 + len(writer.stdout.read().split())
    keys = [b"%06d/%03d" % (number, i) for number in range(acknowledged) for i in range(BATCH)]
    assert store.get_many(keys) == [b"%d" % int(key[:6]) * 200 for key in keys]
    rows = list(store.scan())
    assert len(rows) >= len(keys)
    assert rows == [(key, b"%d" % int(key[:6]) * 200) for key, _ in rows]
    assert store.put_many([(b"after", b"1")]) == [None]


def test_a_forked_child_and_its_parent_both_go_on(shared: Backend) -> None:
    store = shared.open()
    store.put_many([(b"before", b"1")])

    def work() -> None:
        assert store.get_many([b"before"]) == [b"1"]
        assert store.merge_many(COUNTERS, add_one) == [b"1"] * len(COUNTERS)
        another = shared.open()
        another.merge_many(COUNTERS, add_one)
        another.close()
        store.merge_many(COUNTERS, add_one)
        store.close()

    assert in_fork(work) == 0
    assert store.merge_many(COUNTERS, add_one) == [b"4"] * len(COUNTERS)
    assert in_fork(lambda: None) == 0
    assert store.merge_many(COUNTERS, add_one) == [b"5"] * len(COUNTERS)


def test_forks_while_other_threads_read_and_write_do_not_hang(shared: Backend) -> None:
    store = shared.open()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            store.merge_many([b"busy"], add_one)
            store.get_many([b"busy"])

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        codes = [in_fork(lambda: check_add(store)) for _ in range(10)]
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 10
    assert store.get_many([b"forked"]) == [b"10"]


def check_add(store: KeyValue) -> None:
    signal.alarm(30)  # a hang ends as a death by SIGALRM
    assert isinstance(store.merge_many([b"forked"], add_one)[0], bytes)


def test_threads_that_share_a_handle_lose_no_merge(store: KeyValue) -> None:
    in_threads(lambda: store.merge_many(COUNTERS, add_one))
    assert store.get_many(COUNTERS) == [b"100"] * len(COUNTERS)


def test_threads_that_share_a_handle_see_each_batch_whole(store: KeyValue) -> None:
    seen: list[list[bytes | None]] = []

    def work() -> None:
        store.merge_many(COUNTERS, add_one)
        seen.append(store.get_many(COUNTERS))

    in_threads(work)
    assert {len(set(values)) for values in seen} == {1}


def in_threads(work: Callable[[], object]) -> None:
    """Call `work` 100 times in four threads, and raise the first error of any."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(100)]:
            done.result()


def test_two_handles_in_one_process_share_what_is_stored(shared: Backend) -> None:
    first, second = shared.open(), shared.open()
    first.put_many([(b"k", b"1")])
    assert second.merge_many([b"k"], add_one) == [b"2"]
    second.close()
    second.close()
    assert first.merge_many([b"k"], add_one) == [b"3"]
    first.close()
    assert shared.open().get_many([b"k"]) == [b"3"]
