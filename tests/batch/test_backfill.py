"""Whole backfills in this process: counts, modes, dead letters, ties, samples, estimates."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from models.embedder import HashingEmbedder
from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.embedding import VectorMaker
from pipeline.featurize import Featurizer, SourceRow
from pipeline.local import LocalPath
from schemas.codec import encode
from schemas.errors import ConfigError, ModelUnavailable
from schemas.events import read_events
from schemas.records import FeatureRecord, PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch.catalogs import letters, lines, postings, run, settings, stored, write


def fold(*files: Path) -> dict[str, FeatureRecord]:
    """What a stream of these files in this order leaves."""
    store = FeatureStore(open_store("memory:"))
    featurizer = Featurizer(store, InstantSummarizer())
    for file in files:
        for event in read_events(file):
            if isinstance(event, PostingUpdate):
                featurizer.featurize([SourceRow(encode(event), "local", 0, 0, 0)])
    return {record.posting_id: record for record in store.scan()}


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.parquet", "c.avro"])
def test_every_format_ends_in_the_store_that_a_stream_of_it_leaves(name: str, tmp_path: Path) -> None:
    rows = postings(130)
    report = run(tmp_path, write(tmp_path / name, rows)).figures()
    assert (report["rows_in"], report["summarized"], report["unexplained"]) == (130, 130, 0)
    assert stored(f"lmdb://{tmp_path}/store") == fold(write(tmp_path / "same.jsonl", rows))


def test_bad_rows_are_dead_letters_with_file_row_and_reason_and_the_counts_add_up(tmp_path: Path) -> None:
    good = lines(postings(50)).splitlines(keepends=True)
    bad = [
        b"not json\n",
        b'{"title": "no id"}\n',
        b'\xff\xfe"\n',
        b'{"id": "x", "title": 3, "posted_at": 7}\n',
    ]
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"".join([*good[:10], bad[0], b"\n", *good[10:40], *bad[1:], *good[40:]]))
    report = run(tmp_path, path)
    figures = report.figures()
    assert (figures["rows_in"], figures["summarized"], figures["dead_letters"]) == (54, 50, 4)
    found = letters(report)
    assert [letter["row"] for letter in found] == [11, 43, 44, 45]
    assert {letter["file"] for letter in found} == {str(path)}
    assert "id is missing" in found[1]["reason"]
    assert found[0]["data"] == "not json"


def test_a_corrupt_file_among_good_ones_is_one_dead_letter(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    write(folder / "a.parquet", postings(30))
    write(folder / "b.parquet", postings(30, 30)).write_bytes(b"PAR1 and nothing of use")
    write(folder / "c.jsonl", postings(30, 60))
    report = run(tmp_path, folder)
    assert (report.total.rows_in, report.total.outcomes["summarized"]) == (61, 60)
    assert [Path(letter["file"]).name for letter in letters(report)] == ["b.parquet"]


def test_rows_of_one_posting_at_one_instant_are_versioned_in_the_order_of_the_file_wherever_it_is_cut(
    tmp_path: Path,
) -> None:
    rows = postings(60)
    twice = [{**row, "title": f"{row['title']} again"} for row in rows]
    mixed = [*rows, *twice, *rows[:5], *({**row, "posted_at": None} for row in twice)]
    random.Random(1).shuffle(mixed)
    path = write(tmp_path / "c.jsonl", mixed)
    # a split is at least a MiB: blanks between the rows make room for several
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n" + b" " * 20_000 + b"\n"))
    run(tmp_path, path, split_mib=1)
    assert stored(f"lmdb://{tmp_path}/store") == fold(path)


def test_missing_works_on_what_the_store_has_not_and_then_on_nothing(tmp_path: Path) -> None:
    first = run(tmp_path, write(tmp_path / "some.jsonl", postings(40)))
    everything = write(tmp_path / "all.jsonl", postings(100))
    second = run(tmp_path, everything, mode="missing").figures()
    third = run(tmp_path, everything, mode="missing").figures()
    assert first.total.outcomes["summarized"] == 40
    assert (second["summarized"], second["unchanged"], second["left_alone"]) == (60, 40, 40)
    assert (third["summarized"], third["left_alone"], third["rows_in"]) == (0, 100, 100)


def test_a_missing_posting_of_several_rows_gets_all_of_them(tmp_path: Path) -> None:
    rows = postings(30)
    later = [{**row, "updated_at": "2025-01-01", "title": f"{row['title']} B"} for row in rows]
    path = write(tmp_path / "c.jsonl", [*rows, *postings(30, 30), *later])
    report = run(tmp_path, path, mode="missing").figures()
    assert report["summarized"] == 90
    assert stored(f"lmdb://{tmp_path}/store") == fold(path)


def test_a_new_generation_refreshes_exactly_all_and_then_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(70))
    run(tmp_path, path)
    kept = run(tmp_path, path, mode="stale").figures()
    made = run(tmp_path, path, mode="stale", summarizer_url="instant:2").figures()
    again = run(tmp_path, path, mode="stale", summarizer_url="instant:2").figures()
    assert (kept["summarized"], made["summarized"], again["summarized"]) == (0, 70, 0)
    assert again["left_alone"] == made["rows_in"] == 70
    assert {(r.model, r.generation) for r in stored(f"lmdb://{tmp_path}/store").values()} == {
        ("instant@2", 2)
    }


def test_stale_takes_in_changed_content_but_neither_missing_postings_nor_older_content(
    tmp_path: Path,
) -> None:
    rows = postings(30)
    run(tmp_path, write(tmp_path / "old.jsonl", rows))
    newer = [{**rows[0], "updated_at": "2025-01-01", "title": "Ward sister"}]
    older = [{**rows[1], "posted_at": "2001-01-01", "title": "Matron"}]
    path = write(tmp_path / "new.jsonl", [*newer, *older, *rows[2:], *postings(5, 30)])
    report = run(tmp_path, path, mode="stale").figures()
    assert (report["summarized"], report["stale"], report["left_alone"]) == (1, 1, 33)
    found = stored(f"lmdb://{tmp_path}/store")
    assert (found["p0"].title, found["p1"].title, len(found)) == ("Ward sister", "Nurse 1", 30)


def test_a_sample_is_the_same_part_of_the_postings_every_time(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(400))
    reports = [run(tmp_path, path, sample=0.25, store_url=f"lmdb://{tmp_path}/{n}") for n in (1, 2)]
    assert 60 < reports[0].total.rows_in < 140
    assert reports[0].total.rows_in + reports[0].total.not_sampled == 400
    assert stored(f"lmdb://{tmp_path}/1") == stored(f"lmdb://{tmp_path}/2")


def test_a_dry_run_counts_what_would_be_done_and_writes_nothing(tmp_path: Path) -> None:
    run(tmp_path, write(tmp_path / "some.jsonl", postings(40)))
    before = stored(f"lmdb://{tmp_path}/store")
    path = write(tmp_path / "all.jsonl", postings(100))
    report = run(tmp_path, path, dry_run=True, assume_rate_per_s=2.0).figures()
    assert (report["postings_to_summarize"], report["hours"]) == (60, round(60 / 2 / 3600, 3))
    assert report["tokens_to_read"] > 60 * 10  # type: ignore[operator]
    assert stored(f"lmdb://{tmp_path}/store") == before


def test_a_dry_run_measures_a_rate_where_none_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(10))
    report = run(tmp_path, path, dry_run=True, store_url="memory:").figures()
    assert report["summaries_per_s"] > 0  # type: ignore[operator]


def test_the_report_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(10))
    report = run(tmp_path, path, report=str(tmp_path / "made" / "report.json"))
    figures: dict[str, Any] = json.loads((tmp_path / "made" / "report.json").read_text())
    assert figures == report.figures()
    assert figures["rows_in"] == sum(figures["outcomes"].values()) == 10
    assert figures["tokens_before"] > figures["tokens_after"] * 0.5 > 0


def test_a_model_server_that_is_away_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(10))
    checkpoint = Path(__file__).parents[2] / "models" / "checkpoints" / "summarizer-tiny"
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:1"):
        run(tmp_path, path, summarizer_url="http://127.0.0.1:1", tokenizer_dir=str(checkpoint))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"sample": 0},
        {"sample": 1.5},
        {"chunk_rows": 0},
        {"parallelism": 9, "concurrency": 8},
        {"rate_per_s": -1},
        {"store_url": "memory:"},
        {"catalog": ()},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_named(fields: dict[str, Any], tmp_path: Path) -> None:
    name = next(iter(fields)).removesuffix("_url")
    with pytest.raises(ConfigError, match=name if name != "parallelism" else "concurrency"):
        run(
            tmp_path,
            *(() if "catalog" in fields else (tmp_path,)),
            **{k: v for k, v in fields.items() if v != ()},
        )


def test_a_lmdb_store_and_masters_of_other_machines_do_not_go_together(tmp_path: Path) -> None:
    asked = settings(tmp_path, tmp_path)
    for master in ("local[2]", "spark://127.0.0.1:7077"):
        asked.check_master(master)
    for master in ("spark://10.0.0.1:7077", "yarn", "k8s://https://k:6443"):
        with pytest.raises(ConfigError, match="one machine"):
            asked.check_master(master)


def test_stale_with_an_embedder_gives_vectors_to_records_that_have_none_of_its_model(tmp_path: Path) -> None:
    path, store = write(tmp_path / "c.jsonl", postings(45)), f"lmdb://{tmp_path}/store"
    run(tmp_path, path)
    made = run(tmp_path, path, mode="stale", embedder_url="instant:").figures()
    again = run(tmp_path, path, mode="stale", embedder_url="instant:").figures()
    newer = run(tmp_path, path, mode="stale", embedder_url="instant:2").figures()
    assert [each["vectors_made"] for each in (made, again, newer)] == [45, 0, 45]
    assert (made["metadata_only"], made["summarizer_calls"], again["left_alone"]) == (45, 0, 45)
    assert {record.vector_model for record in stored(store).values()} == {"hashing@2"}


def test_a_backfill_with_an_embedder_ends_in_the_records_of_a_stream_with_it(tmp_path: Path) -> None:
    rows = postings(30)
    figures = run(tmp_path, write(tmp_path / "c.jsonl", rows), embedder_url="instant:").figures()
    path = LocalPath(
        open_store("memory:"),
        InstantSummarizer(),
        LexicalRanker(),
        vectors=VectorMaker(HashingEmbedder()),
    )
    path.replay(read_events(write(tmp_path / "same.jsonl", rows)))
    wanted = {record.posting_id: record for record in path.features.scan()}
    assert (figures["vectors_made"], figures["vectors_missed"]) == (30, 0)
    assert stored(f"lmdb://{tmp_path}/store") == wanted


def test_an_embedder_that_is_down_is_named_before_anything_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", postings(3))
    with pytest.raises(ModelUnavailable, match=r"embedder http://127.0.0.1:9: .*nothing was begun"):
        run(tmp_path, path, embedder_url="http://127.0.0.1:9")
    assert not (tmp_path / "state").exists()
