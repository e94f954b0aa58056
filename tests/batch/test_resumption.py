"""A run that dies at any of its steps goes on to the very counts and records of an undisturbed one."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.catalog import Split, list_files, split_files
from batch.ledger import Ledger, Notes
from batch.progress import Progress
from batch.run_table import close_run, open_run
from batch.split_folder import Folder
from batch.worker import SplitWorker, Task
from models.summarizer import InstantSummarizer, Summary, SummaryFailure, SummaryUnavailable
from schemas.errors import BrokersUnavailable, ModelUnavailable, StoreError, StoreUnavailable
from storage.base import KeyValue, Merge
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch import catalogs
from tests.batch.catalogs import postings, write


class Killed(BaseException):
    """What no code of ours catches, as no code sees a kill."""


class Mortal:
    """A store whose process dies at its n-th write, before or after the write has happened."""

    def __init__(self, kv: KeyValue, write: int, *, after: bool) -> None:
        self._kv, self._left, self._after = kv, write, after

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._kv.get_many(keys)

    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        return self._kv.put_many(items, ttl_s=ttl_s)

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        done = self._kv.merge_many(keys, merge, ttl_s=ttl_s)
        if self._left == 0:
            raise Killed
        return done

    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self._kv.scan(prefix, start)

    def close(self) -> None:
        self._kv.close()


class Flaky:
    """A summarizer that is away for every third text the first time."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        answers = InstantSummarizer().summarize_many(texts, deadline_s)
        self.asked.update(texts)
        away = SummaryUnavailable(reason="down")
        return [
            away if n % 3 == 0 and self.asked[text] == 1 else answer
            for n, (text, answer) in enumerate(zip(texts, answers, strict=True))
        ]


def catalog(folder: Path) -> Split:
    """Postings, two of them again with other content, one twice, and a bad row."""
    rows = postings(95)
    extra = [{**rows[3], "updated_at": "2025-01-01"}, {**rows[50], "posted_at": "2001-01-01", "title": "B"}]
    path = write(folder / "c.jsonl", [*rows[:60], *extra, rows[7], {"title": "no id"}, *rows[60:]])
    return split_files(list_files([str(path)]), parallelism=1, split_bytes=1 << 20)[0]


def task(folder: Path, patience_s: float = 0.0) -> Task:
    return Task(
        settings=catalogs.settings(folder, folder / "c.jsonl", patience_s=patience_s, parallelism=1),
        run=str(folder / "run"),
        generation=1,
    )


def undisturbed(tmp_path: Path) -> tuple[Progress, object]:
    kv = open_store("memory:")
    worker = SplitWorker(task(tmp_path), kv=kv)
    *_, progress = worker.run(catalog(tmp_path))
    return progress, list(FeatureStore(kv).scan())


@settings(max_examples=25)
@given(write_number=st.integers(1, 6), after=st.booleans(), again=st.integers(1, 6))
def test_killed_before_or_after_any_write_the_run_ends_in_the_same_counts_and_records(
    tmp_path_factory: pytest.TempPathFactory, write_number: int, after: bool, again: int
) -> None:
    expected, records = undisturbed(tmp_path_factory.mktemp("calm"))
    folder, kv = tmp_path_factory.mktemp("killed"), open_store("memory:")
    split = catalog(folder)
    for moment in (write_number, again):
        worker = SplitWorker(task(folder), kv=Mortal(kv, moment, after=after))
        try:
            list(worker.run(split))
        except Killed:
            continue
    list(SplitWorker(task(folder), kv=kv).run(split))
    found = Ledger(Folder(str(folder / "run"))).progress(split.number)
    assert found == expected
    assert list(FeatureStore(kv).scan()) == records


class Recorder:
    """Keeps what it is given; the process dies at its n-th call, or the broker is away then."""

    def __init__(self, fail_at: int = 0, failure: BaseException | None = None) -> None:
        self.sent: dict[str, bytes] = {}
        self._left, self._failure = fail_at, failure

    def publish_many(self, records: Mapping[str, bytes]) -> dict[str, str]:
        self._left -= 1
        if self._left == 0 and self._failure is not None:
            raise self._failure
        self.sent |= records
        return {"p9": "too large"} if "p9" in records else {}

    def close(self) -> None:
        """Nothing to release."""


def publishing(folder: Path, recorder: Recorder, patience_s: float = 0.0) -> Task:
    return replace(task(folder, patience_s), publisher=lambda: recorder)


def current(kv: KeyValue) -> dict[str, bytes]:
    ids = [record.posting_id for record in FeatureStore(kv).scan()]
    return dict(zip(ids, FeatureStore(kv).read_raw(ids), strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", [1, 2, 4])
def test_killed_between_store_and_publisher_the_next_worker_sends_what_changed(
    tmp_path: Path, moment: int
) -> None:
    split, kv = catalog(tmp_path), open_store("memory:")
    first, second = Recorder(moment, Killed()), Recorder()
    with pytest.raises(Killed):
        list(SplitWorker(publishing(tmp_path, first), kv=kv).run(split))
    *_, progress = SplitWorker(publishing(tmp_path, second), kv=kv).run(split)
    assert first.sent | second.sent == current(kv)
    assert progress.outcomes["dead_letters"] == 2
    assert progress.outcomes.total() == progress.rows_in


def test_brokers_that_are_away_are_waited_for(tmp_path: Path) -> None:
    split, kv = catalog(tmp_path), open_store("memory:")
    recorder, pauses = Recorder(2, BrokersUnavailable("no broker answers")), list[float]()
    worker = SplitWorker(publishing(tmp_path, recorder, 60.0), kv=kv, sleep=pauses.append)
    list(worker.run(split))
    assert recorder.sent == current(kv)
    assert len(pauses) == 1


def test_a_second_run_publishes_nothing(tmp_path: Path) -> None:
    split, kv = catalog(tmp_path), open_store("memory:")
    list(SplitWorker(task(tmp_path), kv=kv).run(split))
    (tmp_path / "run" / "again").mkdir()
    recorder = Recorder()
    again = replace(publishing(tmp_path, recorder), run=str(tmp_path / "run" / "again"))
    list(SplitWorker(again, kv=kv).run(split))
    assert recorder.sent == {}


def test_an_outage_is_waited_out_and_no_text_that_came_is_asked_for_again(tmp_path: Path) -> None:
    expected, records = undisturbed(tmp_path)
    (tmp_path / "flaky").mkdir()
    split, kv, flaky, pauses = catalog(tmp_path / "flaky"), open_store("memory:"), Flaky(), list[float]()
    worker = SplitWorker(
        task(tmp_path / "flaky", patience_s=60.0), kv=kv, summarizer=flaky, sleep=pauses.append
    )
    *_, progress = worker.run(split)
    assert progress == expected
    assert list(FeatureStore(kv).scan()) == records
    assert len(pauses) >= 5
    assert max(flaky.asked.values()) == 2


def test_an_outage_that_outlasts_patience_is_raised_and_the_next_worker_goes_on(tmp_path: Path) -> None:
    class Away(Flaky):
        def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
            del deadline_s
            return [SummaryUnavailable(reason="down")] * len(texts)

    expected, _ = undisturbed(tmp_path)
    (tmp_path / "away").mkdir()
    split, kv = catalog(tmp_path / "away"), open_store("memory:")
    with pytest.raises(ModelUnavailable, match="down"):
        list(SplitWorker(task(tmp_path / "away"), kv=kv, summarizer=Away()).run(split))
    *_, progress = SplitWorker(task(tmp_path / "away"), kv=kv).run(split)
    assert progress == expected


def test_a_store_that_is_away_is_an_outage_too(tmp_path: Path) -> None:
    class Gone(Mortal):
        def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            raise StoreUnavailable(f"no store for {len(keys)} keys")

    split = catalog(tmp_path)
    worker = SplitWorker(task(tmp_path), kv=Gone(open_store("memory:"), 1, after=False))
    with pytest.raises(StoreUnavailable):
        list(worker.run(split))


def test_an_attempt_that_another_one_has_overtaken_counts_nothing_twice(tmp_path: Path) -> None:
    split, kv = catalog(tmp_path), open_store("memory:")
    slow = SplitWorker(task(tmp_path), kv=kv).run(split)
    next(slow)
    *_, fast = SplitWorker(task(tmp_path), kv=kv).run(split)
    *_, last = slow
    assert last == fast
    assert fast.rows_in == 99
    assert fast.outcomes.total() == 99


def test_the_ledger_leaves_one_file_a_split_and_no_journal(tmp_path: Path) -> None:
    list(SplitWorker(task(tmp_path), kv=open_store("memory:")).run(catalog(tmp_path)))
    folder = Folder(str(tmp_path / "run"))
    assert len(folder.names("progress")) == 1
    assert folder.names("journal") == []


def test_what_the_ledger_keeps_it_gives_back(tmp_path: Path) -> None:
    ledger = Ledger(Folder(str(tmp_path)))
    notes = Notes(base=7, versions={3: 9}, again=frozenset({1, 2}))
    ledger.write_notes(4, notes)
    ledger.write_journal(4, 20, {"p1": None, "p2": b"\x00\xff"})
    progress = Progress(rows_done=20, rows_in=19, outcomes=Counter({"summarized": 19}))
    ledger.commit(4, 0, progress)
    assert (ledger.notes(4), ledger.notes(5)) == (notes, Notes())
    assert ledger.journal(4, 20) == {"p1": None, "p2": b"\x00\xff"}
    assert ledger.journal(4, 40) is None
    assert (ledger.progress(4), ledger.progress(5), ledger.rows_done()) == (progress, Progress(), 20)


def test_the_same_command_goes_on_until_the_run_is_closed_and_another_one_never_does(tmp_path: Path) -> None:
    files = list_files([str(write(tmp_path / "c.jsonl", postings(3)))])
    asked = catalogs.settings(tmp_path, tmp_path / "c.jsonl")
    first = open_run(asked, files, 1)
    assert open_run(asked, files, 2).address == first.address
    other = catalogs.settings(tmp_path, tmp_path / "c.jsonl", mode="stale")
    assert len({open_run(other, files, generation).address for generation in (1, 2)} | {first.address}) == 3
    close_run(first, json.dumps({}).encode())
    assert open_run(asked, files, 1).address != first.address


def test_no_password_is_written_down_and_a_new_one_goes_on(tmp_path: Path) -> None:
    files = list_files([str(write(tmp_path / "c.jsonl", postings(3)))])

    def opened(login: str) -> Folder:
        url = f"couchbase://{login}@c/features"
        return open_run(catalogs.settings(tmp_path, tmp_path / "c.jsonl", store_url=url), files, 1)

    first = opened("ann:secret")
    assert opened("bob:other").address == first.address
    written = b"".join(path.read_bytes() for path in Path(first.address).rglob("*") if path.is_file())
    assert b"couchbase://c/features" in written
    assert b"secret" not in written
