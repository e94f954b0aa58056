"""A date from the future is a dead letter that says so: it would keep its posting from ever changing again."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch.catalog import list_files, split_files
from batch.split_folder import Folder
from batch.survey import finish_survey
from batch.worker import SplitWorker, Task
from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer, FeaturizeSettings
from pipeline.local import LocalPath, LocalSettings
from schemas.errors import ConfigError
from schemas.events import read_events
from schemas.records import Op, Outcome
from schemas.times import iso
from storage.memory import MemoryStore
from streaming.features.settings import FeatureJobSettings, parse
from streaming.kafka.settings import KafkaSettings
from tests.batch.catalogs import settings
from tests.pipeline.builders import content, memory, rows, update

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0
NURSE = content("Nurse", "nights")


def featurizer(**limits: float) -> Featurizer:
    return Featurizer(memory(), InstantSummarizer(), FeaturizeSettings(**limits), clock=lambda: NOW_S)


def outcomes(made: Featurizer, *versions: float) -> list[tuple[Outcome, str | None]]:
    events = [update("p", int(version * 1e6), Op.ADD, NURSE) for version in versions]
    return [(row.outcome, row.reason) for row in made.featurize(rows(events))]


def test_an_update_up_to_a_day_ahead_is_taken_and_a_later_one_is_a_dead_letter_with_the_reason() -> None:
    (first, _), (second, _), (third, why) = outcomes(featurizer(), NOW_S, NOW_S + DAY_S, NOW_S + DAY_S + 1)
    assert Outcome.DEAD_LETTERS not in (first, second)
    assert third is Outcome.DEAD_LETTERS
    assert why == (
        "its time, 2027-01-16T08:00:01+00:00, is further in the future than max_ahead_s allows: "
        "until 2027-01-16T08:00:00+00:00"
    )


def test_the_setting_moves_the_bound_and_infinity_takes_any_time() -> None:
    assert outcomes(featurizer(max_ahead_s=0.0), NOW_S + 1)[0][0] is Outcome.DEAD_LETTERS
    assert outcomes(featurizer(max_ahead_s=10.0), NOW_S + 10)[0][0] is Outcome.SUMMARIZED
    assert outcomes(featurizer(max_ahead_s=math.inf), 2**62 / 1e6)[0][0] is Outcome.SUMMARIZED


def test_a_list_that_says_what_is_open_in_the_future_is_a_dead_letter_too() -> None:
    listed = replace(update("p", 1, Op.ADD, NURSE), as_of=int((NOW_S + 2 * DAY_S) * 1e6))
    (row,) = featurizer().featurize(rows([listed]))
    assert row.outcome is Outcome.DEAD_LETTERS


@pytest.mark.parametrize("op", [Op.CLOSE, Op.REMOVE, Op.OPEN, Op.UPDATE, Op.REPOST])
def test_no_event_of_the_future_freezes_its_posting(op: Op) -> None:
    made = featurizer()
    events = [
        update("p", 1, Op.ADD, NURSE),
        update("p", 32_503_680_000_000_000, op, NURSE),
        update("p", 3, Op.CLOSE),
    ]
    found = [row.outcome for row in made.featurize(rows(events))]
    assert found == [Outcome.SUMMARIZED, Outcome.DEAD_LETTERS, Outcome.CLOSED]


def test_the_clock_says_what_is_the_future_and_never_what_a_version_is() -> None:
    line = json.dumps({"id": "p", "title": "Nurse", "updated_at": "2027-01-20"})
    records = []
    for now, taken in [(NOW_S, False), (NOW_S + 10 * DAY_S, True), (NOW_S + 1_000 * DAY_S, True)]:
        local = LocalPath(
            MemoryStore(lambda: 0.0),
            InstantSummarizer(),
            LexicalRanker(),
            clock=lambda now=now: now,  # type: ignore[misc]
        )
        report = local.replay(read_events(io.BytesIO(line.encode())))
        assert report.outcomes[Outcome.DEAD_LETTERS] == (not taken)
        records += list(local.features.scan())
    assert records[0] == records[1]
    assert records[0].version == 1_800_403_200_000_000


def test_a_replay_in_one_process_tells_which_update_and_has_the_setting() -> None:
    data = b'{"id": "p", "title": "Nurse", "posted_at": "2999-01-01"}\n{"id": "q", "title": "Nurse"}'
    local = LocalPath(MemoryStore(lambda: 0.0), InstantSummarizer(), LexicalRanker(), clock=lambda: NOW_S)
    ((number, reason),) = local.replay(read_events(io.BytesIO(data))).dead_letters
    assert number == 1
    assert "2999-01-01T00:00:00+00:00" in reason
    anytime = LocalSettings(max_ahead_s=math.inf)
    local = LocalPath(
        MemoryStore(lambda: 0.0), InstantSummarizer(), LexicalRanker(), anytime, clock=lambda: NOW_S
    )
    assert local.replay(read_events(io.BytesIO(data))).dead_letters == []


def backfilled(folder: Path, now: float, **fields: Any) -> list[dict[str, Any]]:
    """The dead letters of a backfill of two rows at a time."""
    path = folder / "catalog.jsonl"
    path.write_bytes(
        b'{"id": "p", "title": "Nurse", "posted_at": "2999-01-01"}\n{"id": "q", "title": "Nurse"}\n'
    )
    made = replace(settings(folder, path), **fields)
    (split,) = split_files(list_files(made.catalog), parallelism=1, split_bytes=1 << 20)
    run = Folder(str(folder / "run"))
    run.write("survey/000000.json", b'{"rows": 2, "lines": 0}')
    finish_survey([split], [], lambda ids: [False] * len(ids), run)
    task = Task(settings=made, run=run.address, generation=1)
    list(SplitWorker(task, kv=MemoryStore(lambda: 0.0), clock=lambda: now).run(split))
    found = (folder / "run" / "dead_letters").glob("*.jsonl")
    return [json.loads(line) for path in found for line in path.read_bytes().splitlines()]


def test_a_backfill_has_the_same_bound_setting_and_reason(tmp_path: Path) -> None:
    (letter,) = backfilled(tmp_path, NOW_S)
    assert (letter["row"], json.loads(letter["data"])["id"]) == (1, "p")
    assert "further in the future than max_ahead_s allows" in letter["reason"]
    (tmp_path / "wide").mkdir()
    assert backfilled(tmp_path / "wide", NOW_S, max_ahead_s=math.inf) == []


def test_the_feature_job_hands_the_setting_to_its_workers() -> None:
    argv = ["--bootstrap", "b:1", "--store", "lmdb:///s", "--summarizer", "instant:", "--max-ahead-s", "60"]
    assert parse(argv, {}).worker().max_ahead_s == 60.0
    for bad in (-1.0, math.nan):
        with pytest.raises(ConfigError, match="max_ahead_s"):
            FeatureJobSettings(
                kafka=KafkaSettings(bootstrap="b:1"),
                store_url="lmdb:///s",
                summarizer_url="instant:",
                max_ahead_s=bad,
            )


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (-1, "1969-12-31T23:59:59+00:00"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59+00:00"),
        (253_402_300_800_000_000, "10000-01-01T00:00:00+00:00"),
        (253_402_318_799_000_000, "10000-01-01T04:59:59+00:00"),
        (2**63 - 1, "294247-01-10T04:00:54+00:00"),
    ],
)
def test_any_version_is_shown_as_a_time(us: int, text: str) -> None:
    assert iso(us) == text
