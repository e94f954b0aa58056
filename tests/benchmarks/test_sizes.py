"""What a posting takes, on a small run of the benchmark."""

from pathlib import Path

from benchmarks.common.report import Row
from benchmarks.sizes import SizesBenchmark, message_bytes, search_bytes, store_bytes

SMALL = SizesBenchmark(postings=400, searches=500, items=20)


def figure(row: Row, name: str) -> float:
    return float(str(row[name]))


def test_a_store_holds_the_text_and_grows_when_postings_are_updated(tmp_path: Path) -> None:
    filled, updated, longer, _ = store_bytes(SMALL, tmp_path)
    assert figure(filled, "on disk") > figure(filled, "text") > 500
    assert figure(updated, "on disk") > figure(filled, "on disk")
    assert figure(longer, "text") > 3.9 * figure(filled, "text")


def test_an_update_carries_the_text_and_a_feature_does_not() -> None:
    found = {row["message"]: figure(row, "bytes") for row in message_bytes(SMALL)}
    assert found["postings.updates"] > 1000 > found["postings.features"]
    assert 0 < found["score.requests, a candidate of 20"] < 100


def test_a_search_in_memory_takes_more_than_its_query() -> None:
    assert 100 < figure(search_bytes(SMALL), "bytes") < 10_000
