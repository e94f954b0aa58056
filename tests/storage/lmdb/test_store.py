import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from schemas.errors import ConfigError, StoreDamaged, StoreFull, StoreUnavailable
from storage.lmdb.store import LmdbSettings, LmdbStore
from storage.opening import open_store
from tests.conformance.conftest import ManualClock

ROOT = Path(__file__).parents[3]
ROW = b"x" * 1_000


def small(path: Path, map_size: int = 1 << 20, clock: ManualClock | None = None) -> LmdbStore:
    return LmdbStore(LmdbSettings(path=path, durable=False, map_size=map_size), clock or ManualClock())


def fill(store: LmdbStore, *, ttl_s: float | None = None) -> int:
    """Write rows, ten at a time and then one by one, until the map is full; returns how many fitted."""
    written, message = 0, ""
    for step in (10, 1):
        try:
            while True:
                rows = [(b"%06d" % (written + i), ROW) for i in range(step)]
                store.put_many(rows, ttl_s=ttl_s)
                written += step
        except StoreFull as full:
            message = str(full)
        assert "map_size" in message
    return written


def test_a_full_map_says_so_keeps_what_it_acknowledged_and_goes_on_after_deletes(tmp_path: Path) -> None:
    store = small(tmp_path)
    for _ in range(5):
        written = fill(store)
        assert written > 400
        assert len(list(store.scan())) == written
        with pytest.raises(StoreFull):
            store.merge_many([b"more%d" % i for i in range(20)], lambda _key, _stored: ROW)
        assert store.get_many([b"more0"]) == [None]
        assert store.put_many([(b"%06d" % i, None) for i in range(written)]) == [None] * written
        assert store.put_many([(b"again%d" % i, ROW) for i in range(300)]) == [None] * 300
        store.put_many([(b"again%d" % i, None) for i in range(300)])
    assert store.stats()["map_size"] < 4 << 20
    store.close()


def test_a_full_map_of_expired_rows_makes_its_own_room(tmp_path: Path) -> None:
    clock = ManualClock()
    store = small(tmp_path, clock=clock)
    written = fill(store, ttl_s=60)
    clock.now += 60
    assert store.put_many([(b"new%d" % i, ROW) for i in range(200)]) == [None] * 200
    clock.now += 60
    assert store.stats()["entries"] < written
    store.close()


def test_writes_with_a_ttl_do_not_grow_the_store_for_ever(tmp_path: Path) -> None:
    clock = ManualClock()
    store = small(tmp_path, clock=clock)
    for i in range(200):
        clock.now += 1
        store.put_many([(b"%d/%d" % (i, j), ROW) for j in range(50)], ttl_s=5)
    assert store.stats()["entries"] <= 7 * 50
    store.close()


def test_a_larger_map_size_opens_a_full_map_again(tmp_path: Path) -> None:
    store = small(tmp_path)
    written = fill(store)
    store.close()
    store = small(tmp_path, map_size=4 << 20)
    assert store.put_many([(b"more%d" % i, ROW) for i in range(500)]) == [None] * 500
    assert len(list(store.scan())) == written + 500
    store.close()


def test_a_map_that_another_process_has_grown_is_adopted(tmp_path: Path) -> None:
    store = small(tmp_path / "s")
    store.put_many([(b"k", b"1")])
    script = (
        "from storage.opening import open_store\n"
        f"store = open_store('lmdb://{tmp_path}/s?sync=os&map_size=8M')\n"
        "assert store.put_many([(b'%d' % i, b'x' * 1000) for i in range(3000)]) == [None] * 3000\n"
    )
    for first in ("read", "write"):
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
        if first == "read":
            assert store.get_many([b"2999"]) == [ROW]
        assert store.put_many([(b"k", b"2")]) == [None]
        script = script.replace("3000", "6000").replace("8M", "64M")
    store.close()


@pytest.mark.timeout(60)
def test_a_full_disk_says_so_and_work_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = (
        f"mount -t tmpfs -o size=4m tmpfs {disk} && head -c 2000000 /dev/zero > {disk}/ballast && echo mounted &&"
        f" exec {sys.executable} -m tests.conformance.children fill-disk"
        f" 'lmdb://{disk}/store?map_size=1G' {disk}/ballast"
    )
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", inside]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "mounted" not in done.stdout:
        pytest.skip(f"no private mount is allowed here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_size_limit_is_an_outage_that_ends(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from schemas.errors import StoreUnavailable\n"
        "from storage.opening import open_store\n"
        f"store = open_store('lmdb://{tmp_path}/s')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))\n"
        "rows = [(b'%d' % i, b'x' * 1000) for i in range(3000)]\n"
        "try:\n    store.put_many(rows)\nexcept StoreUnavailable:\n    print('refused')\n"
        "assert store.get_many([b'0']) == [None]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "assert store.put_many(rows) == [None] * 3000\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"


def test_a_killed_reader_pins_no_pages_once_another_process_opens(tmp_path: Path) -> None:
    store = small(tmp_path, map_size=64 << 20)
    store.put_many([(b"k", ROW)])
    script = (
        "import lmdb, sys, time\n"
        f"env = lmdb.open({str(tmp_path)!r}, max_dbs=4)\n"
        "txn = env.begin(); print('reading', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        reader.send_signal(signal.SIGKILL)
    written = (
        "from storage.opening import open_store\n"
        f"store = open_store('lmdb://{tmp_path}?sync=os&map_size=64M')\n"
        "for _ in range(100):\n    store.put_many([(b'%d' % i, b'x' * 1000) for i in range(100)])\n"
        "print(store.stats()['bytes'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", written], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2 << 20
    store.close()


def test_reads_go_on_while_the_map_is_resized(tmp_path: Path) -> None:
    store = small(tmp_path)
    stop, failures, sizes = threading.Event(), list[StoreUnavailable](), set[int]()
    growing = (
        "from storage.opening import open_store\n"
        f"store = open_store('lmdb://{tmp_path}?sync=os&map_size=8M')\n"
        "assert store.put_many([(b'grown/%d' % i, b'x' * 1000) for i in range(2000)]) == [None] * 2000\n"
    )

    def read() -> None:
        while not stop.is_set():
            try:
                store.get_many([b"%06d" % i for i in range(0, 600, 7)])
                sizes.add(store.stats()["map_size"])
                time.sleep(0.001)  # without it the threads would wait for the interpreter, not for the store
            except StoreUnavailable as error:  # what the test is about
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            written = fill(store)
            store.put_many([(b"%06d" % i, None) for i in range(written)])
        # deletions grow a full map only if they find no free page; growth by another process is always taken over
        subprocess.run([sys.executable, "-c", growing], cwd=ROOT, check=True)
        deadline = time.monotonic() + 20
        while 8 << 20 not in sizes and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    store.close()
    assert failures == []
    assert sizes >= {1 << 20, 8 << 20}


def test_a_forked_child_reads_under_its_own_name(tmp_path: Path) -> None:
    store = small(tmp_path)
    store.put_many([(b"k", ROW)])

    def readers() -> str:
        shared = store._env()
        return shared.read(lambda _txn, _tables: str(shared._env.readers()))

    assert str(os.getpid()) in readers()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if str(os.getpid()) in readers() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.close()


def test_two_paths_to_one_directory_are_one_environment(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    first, second = small(tmp_path / "real"), small(tmp_path / "link")
    first.put_many([(b"k", b"1")])
    assert second.get_many([b"k"]) == [b"1"]
    first.close()
    second.close()


def test_one_path_with_two_durabilities_in_one_process_is_refused(tmp_path: Path) -> None:
    store = open_store(f"lmdb://{tmp_path}/s?sync=commit")
    with pytest.raises(ConfigError, match="sync"):
        open_store(f"lmdb://{tmp_path}/s?sync=os")
    store.close()
    open_store(f"lmdb://{tmp_path}/s?sync=os").close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("lmdb://relative/path", "absolute"),
        ("lmdb:///", "absolute"),
        ("lmdb:///x?sync=maybe", "maybe"),
        ("lmdb:///x?map_size=much", "much"),
        ("lmdb:///x?map_size=12", "12"),
        ("lmdb:///x?map_size=-5G", "-5G"),
        ("lmdb:///x?durability=1", "durability"),
        ("rocks:///x", "rocks"),
        ("", "memory:"),
    ],
)
def test_a_url_that_cannot_work_names_its_fault(url: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        open_store(url)


def test_a_url_says_path_durability_and_limit() -> None:
    read = LmdbSettings.from_url("lmdb:///var/my%20store?sync=os&map_size=3g")
    assert read == LmdbSettings(path=Path("/var/my store"), durable=False, map_size=3 << 30)


def test_a_directory_that_cannot_be_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(ConfigError, match="is a file"):
        open_store(f"lmdb://{tmp_path}/file")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "data.mdb").write_bytes(os.urandom(10_000))
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="not begin as LMDB's files do"):
            open_store(f"lmdb://{tmp_path}/junk")
