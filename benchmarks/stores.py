"""`python -m benchmarks stores`: merges of a thousand records, LMDB and Couchbase, beside the SDK's blind writes."""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from couchbase.options import GetMultiOptions, UpsertMultiOptions
from couchbase.transcoder import RawBinaryTranscoder

from benchmarks.common import plots
from benchmarks.common.broker import BUILD
from benchmarks.common.figures import percentile, spread
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from nearline.stack.couchbase import couchbase, ensure_test_server
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import Supervisor
from schemas.records import FeatureRecord, State
from storage.couchbase.connection import Link
from storage.couchbase.url import CouchbaseSettings
from storage.features import FeatureStore, FeatureWrite, RawText
from storage.opening import open_store

NAME = "stores"
GOAL_MS, GOAL_RATIO = 120.0, 2.0
HOME = BUILD / "bench-stores"
PLOT = "stores.png"
SDK = "couchbase: the SDK's get_multi and upsert_multi"
TEXT = "Three nights a week on a surgical ward, with parking and a pension. " * 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresBenchmark:
    """`rounds` bulk writes of `records` records and their texts; each round is of a newer version."""

    records: int = 1000
    rounds: int = 30


def measure(settings: StoresBenchmark, folder: Path = FOLDER) -> Result:
    """All of it, written into `folder`. Couchbase is its test server: one process, in memory, no durable writes."""
    where = measured_on()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    times = {
        f"lmdb, sync={sync}": merged(f"lmdb://{HOME}/{sync}?sync={sync}", settings)
        for sync in ("commit", "os")
    }
    stack = StackSettings(home=HOME / "stack", port_base=27_200, store="couchbase")
    stack.home.mkdir()
    ensure_test_server(stack)
    supervisor = Supervisor(stack, [[couchbase(stack)]])
    try:
        supervisor.start()
        times["couchbase: newest wins"] = merged(f"{stack.store_url}&timeout_ms=20000", settings)
        times[SDK] = blind(stack.store_url, settings)
    finally:
        supervisor.stop()
    shutil.rmtree(HOME)
    plots.bars(
        folder / PLOT,
        "A bulk write of records and texts",
        "ms",
        {"ms": {n: spread(t) for n, t in times.items()}},
    )
    rows = table(times)
    result = Result(
        name=NAME,
        title="Newest wins in bulk",
        settings=asdict(settings),
        tables={f"Milliseconds for {settings.records:,} records with their texts": rows},
        findings=findings(times),
        plots=[PLOT],
        detail={"times_ms": times},
    )
    write(result, folder, where)
    return result


def merged(url: str, settings: StoresBenchmark) -> list[float]:
    """Milliseconds of each round through `FeatureStore`: read, merge under the store's guard, write."""
    with closing(open_store(url)) as kv:
        store = FeatureStore(kv)

        def one(version: int) -> None:
            ids = [f"board-{n % 16}:{n}" for n in range(settings.records)]
            seen = store.read_raw(ids)
            store.merge_many([_write(i, version, raw) for i, raw in zip(ids, seen, strict=True)])

        return _timed(one, settings, url.partition(":")[0])


def blind(url: str, settings: StoresBenchmark) -> list[float]:
    """The same bytes by the SDK alone: `get_multi` and `upsert_multi` of records and texts, nothing guarded."""
    link = Link(CouchbaseSettings.from_url(f"{url}&timeout_ms=20000"))
    collection: Any = link.collection()
    raw = RawBinaryTranscoder()

    def one(version: int) -> None:
        ids = [f"sdk-{n % 16}:{n}" for n in range(settings.records)]
        record = _record("board-1:100", version)
        rows = {i: (record.title + record.summary + TEXT[:250]).encode() for i in ids}
        texts = {f"t-{i}": TEXT.encode() for i in ids}
        collection.get_multi([*rows, *texts], GetMultiOptions(transcoder=raw))
        collection.upsert_multi(rows | texts, UpsertMultiOptions(transcoder=raw))

    try:
        return _timed(one, settings, "sdk")
    finally:
        link.close()


def _timed(one: Callable[[int], None], settings: StoresBenchmark, name: str) -> list[float]:
    """The first two rounds only warm up."""
    times = []
    for version in range(1, settings.rounds + 3):
        began = time.perf_counter()
        one(version)
        times.append(1000 * (time.perf_counter() - began))
    say(f"{name}: {spread(times[2:])['median']:.0f} ms")
    return times[2:]


def _record(posting_id: str, version: int) -> FeatureRecord:
    return FeatureRecord(
        posting_id=posting_id,
        version=version,
        state=State.OPEN,
        lifecycle_version=version,
        content_version=version,
        content_hash=bytes(16),
        title="Night nurse",
        input_hash=bytes(16),
        summary_version=version,
        summary_hash=bytes(16),
        summary=TEXT[:150],
        model="instant@1",
        generation=1,
    )


def _write(posting_id: str, version: int, seen: bytes | None) -> FeatureWrite:
    text = RawText(content_version=version, content_hash=bytes(16), description=TEXT)
    return FeatureWrite(posting_id=posting_id, seen=seen, record=_record(posting_id, version), text=text)


def table(times: dict[str, list[float]]) -> list[Row]:
    """A row a way."""
    return [{"what": name, **spread(ms), "p95": percentile(ms, 0.95)} for name, ms in times.items()]


def findings(times: dict[str, list[float]]) -> list[str]:
    """One sentence a goal."""
    durable = spread(times["lmdb, sync=commit"])["median"]
    ours, sdk = (spread(times[name])["median"] for name in ("couchbase: newest wins", SDK))
    return [
        f"LMDB, durable: {durable:.0f} ms (goal: at most {GOAL_MS:.0f}).",
        f"Couchbase's test server: {ours:.0f} ms, {ours / sdk:.2f} × the SDK's calls (goal: at most {GOAL_RATIO}).",
    ]
