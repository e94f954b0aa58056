"""What a Couchbase store does when its server goes, comes back, or cannot do what the URL asks for."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nearline.stack.processes import wait_until
from schemas.errors import ConfigError, StoreUnavailable
from storage.base import KeyValue
from storage.couchbase.url import for_cache
from storage.opening import open_store
from storage.scores import ScoreCache
from storage.tools.copy import copy_store
from tests.conformance.couchbase_server import CouchbaseServer, empty
from tests.storage.tools.test_copy import added, held, put

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HOME = Path(__file__).parents[2] / "build" / f"couchbase-faults-{os.getpid()}"


@pytest.fixture(scope="module")
def server() -> Iterator[CouchbaseServer]:
    with closing(CouchbaseServer(HOME)) as made:
        made.start()
        yield made


@pytest.fixture
def url(server: CouchbaseServer) -> str:
    return server.url


def changed(url: str, before: str, after: str) -> str:
    assert before in url
    return url.replace(before, after)


def test_a_bucket_that_does_not_exist_says_what_to_do(url: str) -> None:
    with (
        closing(open_store(changed(url, "/features?", "/nope?"))) as store,
        pytest.raises(ConfigError, match="create it, or correct the URL"),
    ):
        store.get_many([b"a"])


def test_what_the_server_cannot_do_is_a_setting_to_change(url: str) -> None:
    with (
        closing(open_store(changed(url, "&scan=views", ""))) as store,
        pytest.raises(ConfigError, match="key-value scan"),
    ):
        list(store.scan())


def test_an_authority_file_that_is_not_there_is_named(url: str) -> None:
    with (
        closing(open_store(f"{url}&certificate=/no/such.pem")) as store,
        pytest.raises(ConfigError, match=r"/no/such\.pem: no such file"),
    ):
        store.get_many([b"a"])


@pytest.mark.parametrize("before", [None, b"0"], ids=["missing", "present"])
@pytest.mark.parametrize("between", [None, b"2"], ids=["deletes", "writes"])
def test_a_writer_that_comes_in_between_is_met_by_the_next_turn(
    url: str, before: bytes | None, between: bytes | None
) -> None:
    empty(url)
    met: list[bytes | None] = []
    with closing(open_store(url)) as ours, closing(open_store(url)) as theirs:
        ours.put_many([(b"k", before), (b"other", b"0")])

        def merge(key: bytes, stored: bytes | None) -> bytes:
            if key == b"k":
                if not met:
                    theirs.put_many([(b"k", b"1"), (b"k", between)])
                met.append(stored)
            return (stored or b"") + b"x"

        done = ours.merge_many([b"k", b"other", b"k"], merge)
        seen = between or b""
        undisturbed = before is None and between is None
        rounds = [before, (before or b"") + b"x"] + ([] if undisturbed else [between, seen + b"x"])
        assert met == rounds
        assert done == [seen + b"x", b"0x", seen + b"xx"]
        assert theirs.get_many([b"k", b"other"]) == [seen + b"xx", b"0x"]


def test_a_key_that_others_never_stop_changing_is_an_outage_and_no_dead_letter(url: str) -> None:
    with closing(open_store(url)) as ours, closing(open_store(url)) as theirs:

        def merge(_key: bytes, stored: bytes | None) -> bytes:
            theirs.merge_many([b"hot"], lambda _key, stored: (stored or b"") + b"y")
            return (stored or b"") + b"x"

        with pytest.raises(StoreUnavailable, match="changed by others 100 times"):
            ours.merge_many([b"hot"], merge)


def test_a_store_moves_to_couchbase_and_back_unchanged(url: str, tmp_path: Path) -> None:
    empty(url)
    with (
        closing(open_store(f"lmdb://{tmp_path}/a")) as first,
        closing(open_store(url)) as couch,
        closing(open_store(f"lmdb://{tmp_path}/b")) as last,
    ):
        for i in range(700):
            put(first, added(5, "Pflegekraft für 看护", f"{i}/ä看{'x' * (i % 250)}"))
        copy_store(first, couch, "a")
        copy_store(couch, last, "couchbase")
        assert held(first) == held(couch) == held(last)
        assert len(held(last)) == 1_400


def test_a_child_that_inherits_a_connection_ends_as_it_likes(url: str) -> None:
    program = f"""
        import os, sys
        from storage.opening import open_store
        store = open_store({url!r})
        store.put_many([(b"inherited", b"1")])
        for use in (False, True):
            pid = os.fork()
            if pid == 0:
                if use:
                    assert store.get_many([b"inherited"]) == [b"1"]
                    store.close()
                sys.exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        assert store.get_many([b"inherited"]) == [b"1"]
        store.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_while_the_server_is_gone_the_cache_is_passed_over_and_afterwards_every_handle_goes_on(
    server: CouchbaseServer,
) -> None:
    url = server.url
    patient = open_store(changed(url, "timeout_ms=20000", "timeout_ms=300"))
    warm, cold = ScoreCache(open_store(for_cache(url))), ScoreCache(open_store(for_cache(url)))
    patient.put_many([(b"a", b"1")])
    warm.get_many([b"k"])
    server.kill()
    with pytest.raises(StoreUnavailable, match=r"couchbase://127\.0\.0\.1:\d+/features"):
        patient.get_many([b"a"])
    with pytest.raises(StoreUnavailable):
        list(patient.scan())
    assert warm.get_many([b"k"]) == [None]
    assert warm.lease_many([b"k"], 1.0) == [True]
    assert cold.get_many([b"k"]) == [None]
    # a cache that could not connect does not try again at once
    started = time.monotonic()
    assert [cold.get_many([b"k"]) for _ in range(20)] == [[None]] * 20
    assert time.monotonic() - started < 1.0
    assert (warm.stats.failures, cold.stats.failures) == (2, 21)
    server.start()
    assert wait_until(lambda: _written(patient, b"a", b"2"), 60)
    assert patient.get_many([b"a"]) == [b"2"]
    for store in (patient, warm.kv, cold.kv):
        store.close()


def _written(store: KeyValue, key: bytes, value: bytes) -> bool:
    """Whether the server, which has just started, has taken a row within the store's time."""
    try:
        return store.put_many([(key, value)]) == [None]
    except StoreUnavailable:
        return False
