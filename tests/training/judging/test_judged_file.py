"""Judged files, postings files and TREC files: what is read, and what each bad one is told."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import pytrec_eval
from pyarrow import parquet

from schemas.errors import ConfigError
from training.evaluation import trec
from training.evaluation.report import count
from training.evaluation.settings import MetricConfig
from training.evaluation.systems import of_run
from training.judging.judged_file import check_known, is_judged, read_items, read_judged_queries

ROW = {"query_id": "q1", "query": "nurse", "posting_id": "a", "label": 3}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def query(text: str = "nurse", /, **grades: Any) -> dict[str, Any]:
    return {"query": text, "items": [{"id": name, "grade": grade} for name, grade in grades.items()]}


def table(path: Path, *rows: dict[str, Any]) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def test_json_lines_are_read_with_or_without_gzip(tmp_path: Path) -> None:
    plain = lines(tmp_path / "a.jsonl", query(a=4, b=0), "\n", query("cook", c=2))
    zipped = tmp_path / "b.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    first, second = read_judged_queries(plain)
    assert read_judged_queries(zipped) == [first, second]
    assert (first.query, first.posting_ids, first.labels, first.soft_labels) == (
        "nurse",
        ("a", "b"),
        (4, 0),
        (1.0, 0.0),
    )
    assert (first.query_id, second.query_id) == ("q1", "q2")


def test_parquet_rows_of_a_query_become_one_judged_query(tmp_path: Path) -> None:
    more = {"soft_label": 0.7, "split": "test", "strata": ["one facet", "seen company"]}
    path = table(
        tmp_path / "j.parquet", ROW | more, ROW | more | {"posting_id": "b", "label": 0, "soft_label": 0.1}
    )
    (found,) = read_judged_queries(path)
    assert (found.query_id, found.posting_ids, found.labels) == ("q1", ("a", "b"), (3, 0))
    assert (found.soft_labels, found.strata) == ((0.7, 0.1), ("one facet", "seen company"))


def test_parquet_with_the_query_alone_and_grade_for_label_is_read(tmp_path: Path) -> None:
    (found,) = read_judged_queries(
        table(tmp_path / "j.parquet", {"query": "nurse", "posting_id": "a", "grade": 2})
    )
    assert (found.query_id, found.query, found.labels) == ("q1", "nurse", (2,))


def test_only_the_wanted_split_is_read_and_all_means_every_one(tmp_path: Path) -> None:
    rows = [ROW | {"query_id": split, "split": split} for split in ("train", "dev", "test")]
    path = table(tmp_path / "j.parquet", *rows)
    assert [q.split for q in read_judged_queries(path)] == ["test"]
    assert [q.split for q in read_judged_queries(path, "dev")] == ["dev"]
    assert len(read_judged_queries(path, "all")) == 3


def test_a_folder_of_tables_is_one_judged_file_in_the_order_of_the_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        table(tmp_path / f"{name}.parquet", ROW | {"query_id": name, "posting_id": name})
    assert [q.query_id for q in read_judged_queries(tmp_path)] == ["a", "b"]


def test_a_judged_file_is_told_from_a_file_of_queries_by_what_it_holds(tmp_path: Path) -> None:
    assert is_judged(table(tmp_path / "table.jsonl", ROW))
    assert is_judged(lines(tmp_path / "judged.jsonl", query(a=1)))
    assert is_judged(tmp_path)
    assert not is_judged(lines(tmp_path / "queries.jsonl", {"query": "nurse"}))


@pytest.mark.parametrize("missing", ["posting_id", "label"])
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    path = table(tmp_path / "j.parquet", {name: value for name, value in ROW.items() if name != missing})
    with pytest.raises(ConfigError, match=rf"j\.parquet: column {missing}.* is missing; the file has"):
        read_judged_queries(path)


def test_a_file_without_queries_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="column query_id or query is missing"):
        read_judged_queries(table(tmp_path / "j.parquet", {"posting_id": "a", "label": 1}))


@pytest.mark.parametrize("grade", [5, -1, 2.5, None, "4", True, float("nan")])
def test_a_grade_out_of_range_names_its_row(tmp_path: Path, grade: object) -> None:
    with pytest.raises(ConfigError, match=r"line 2, item 2: grade must be a whole number from 0 to 4"):
        read_judged_queries(lines(tmp_path / "j.jsonl", query(a=1), query("cook", b=1, c=grade)))


def test_a_parquet_grade_out_of_range_names_its_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"j\.parquet, row 2: grade must be .* not 7"):
        read_judged_queries(table(tmp_path / "j.parquet", ROW, ROW | {"posting_id": "b", "label": 7}))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{oops\n", "line 2: not JSON"),
        ("[1]\n", "line 2: not an object"),
        ('{"query": "x"}\n', "line 2: query must be a text and items a list"),
        ('{"query": "x", "items": []}\n', "line 2: query must be a text and items a list"),
        ('{"query": 7, "items": [{}]}\n', "line 2: query must be a text"),
        ('{"query": "x", "items": [3]}\n', "line 2, item 1: not an object"),
        ('{"query": "x", "items": [{"grade": 1}]}\n', "line 2, item 1: id of the posting is missing"),
        ('{"query": "x", "items": [{"id": "a"}]}\n', "line 2, item 1: grade must be"),
        ('{"query": "x", "split": "exam", "items": [{"id": "a", "grade": 1}]}\n', "split must be one of"),
        ('{"query": "x", "strata": "one", "items": [{"id": "a", "grade": 1}]}\n', "strata must be a list"),
        ('{"query": "x", "items": [{"id": "a", "grade": 1, "soft_label": 2}]}\n', "soft_label must be"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_judged_queries(lines(tmp_path / "j.jsonl", query("ok", z=1), line))


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_file_is_told_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"empty|no judged pair"):
        read_judged_queries(path)


def test_an_empty_split_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"split 'dev' is empty; the file has test"):
        read_judged_queries(lines(tmp_path / "j.jsonl", query(a=1)), "dev")


@pytest.mark.parametrize("name", ["j.parquet", "j.jsonl.gz"])
def test_a_file_that_breaks_off_is_told_so(tmp_path: Path, name: str) -> None:
    whole = table(tmp_path / "whole", *(ROW | {"posting_id": str(n)} for n in range(50)))
    zipped = gzip.compress(
        b"\n".join(json.dumps(query("nurse", **{f"a{n}": 1})).encode() for n in range(500))
    )
    data = whole.read_bytes() if name.endswith("parquet") else zipped
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ConfigError, match=f"{name} is (not readable|damaged)"):
        read_judged_queries(tmp_path / name)


def test_a_pair_judged_twice_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"line 2, item 1: posting 'a' is judged twice .* first at .*line 1, item 1"
    ):
        read_judged_queries(lines(tmp_path / "j.jsonl", query(a=1), query(a=1)))


def test_one_query_id_for_two_queries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"row 2: query id 'q1' stands for 'cook'"):
        read_judged_queries(table(tmp_path / "j.parquet", ROW, ROW | {"posting_id": "b", "query": "cook"}))


def test_postings_that_no_file_has_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    items = read_items([lines(tmp_path / "p.jsonl", {"id": "a", "title": "Nurse", "description": "x"})])
    with pytest.raises(ConfigError, match=r"2 of the judged postings .* first 'b' of query 'q1'"):
        check_known(read_judged_queries(lines(tmp_path / "j.jsonl", query(a=1, b=2, c=0))), items)


def test_several_postings_files_are_one_and_may_repeat_a_posting(tmp_path: Path) -> None:
    a, b = ({"id": name, "title": name, "description": "x"} for name in "ab")
    paths = [lines(tmp_path / "1.jsonl", a), lines(tmp_path / "2.jsonl", b, a)]
    assert list(read_items(paths)) == ["a", "b"]
    lines(paths[1], a | {"title": "other"})
    with pytest.raises(ConfigError, match=r"2\.jsonl: posting 'a' stands there with two different contents"):
        read_items(paths)


def test_an_empty_postings_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no posting"):
        read_items([lines(tmp_path / "p.jsonl")])


def test_queries_without_a_relevant_item_are_counted_unless_none_is_left(tmp_path: Path) -> None:
    path = lines(tmp_path / "j.jsonl", query(a=4, b=0), query("cook", a=0, b=0), query("chef", a=2, b=2))
    found = count(read_judged_queries(path), MetricConfig())
    assert (found.queries, found.without_gain, found.without_relevant, found.all_alike) == (3, 1, 2, 2)
    with pytest.raises(ConfigError, match="none of the 1 queries has an item graded above 0"):
        count(read_judged_queries(lines(path, query(a=0, b=0))), MetricConfig())


def test_a_run_that_we_write_gives_trec_eval_our_ndcg(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grades = [{f"p{n}": int(rng.integers(0, 5)) for n in range(12)} for _ in range(5)]
    queries = read_judged_queries(
        lines(tmp_path / "j.jsonl", *(query(f"query {n}", **g) for n, g in enumerate(grades)))
    )
    scores = [np.round(rng.normal(size=12), 1) for _ in queries]
    trec.write_run(tmp_path / "run", queries, scores, "ranker")
    read = {q.query_id: dict(zip(q.posting_ids, q.labels, strict=True)) for q in queries}
    assert {
        q.query_id: dict(zip(q.posting_ids, q.labels, strict=True))
        for q in trec.read_qrels(tmp_path / "run.qrels")
    } == read
    tag, run = trec.read_run(tmp_path / "run")
    theirs = pytrec_eval.RelevanceEvaluator(read, {"ndcg_cut.10"}).evaluate(run)
    found = of_run(tag, run, queries, MetricConfig())
    assert tag == "ranker"
    assert found.figures[:, 0] == pytest.approx(
        [theirs[q.query_id]["ndcg_cut_10"] for q in queries], abs=1e-9
    )


def test_an_unjudged_item_of_a_run_has_no_gain_and_an_absent_query_has_ndcg_0(tmp_path: Path) -> None:
    queries = trec.read_qrels(lines(tmp_path / "qrels", "q1 0 a 4\n", "q2 0 b 3\n"))
    _, run = trec.read_run(
        lines(tmp_path / "run", "q1 Q0 new 1 2.0 x\n", "q1 Q0 a 2 1.0 x\n", "q9 Q0 a 1 1 x\n")
    )
    found = of_run("x", run, queries, MetricConfig())
    assert found.figures[:, 0] == pytest.approx([1 / np.log2(3), 0.0])
    assert found.settings == {"queries_absent_from_run": 1, "queries_without_qrels": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("q1 0 a\n", "line 1: 3 fields, not the 4"),
        ("q1 0 a x\n", "line 1: grade must be a whole number"),
        ("q1 0 a 99\n", "line 1: grade 99 is over"),
        ("q1 0 a 1\nq1 0 a 2\n", "line 2: posting 'a' is judged twice"),
        ("", "no judgement"),
    ],
)
def test_a_bad_qrels_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        trec.read_qrels(lines(tmp_path / "qrels", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("q1 Q0 a 1 1.0\n", "line 1: 5 fields, not the 6"),
        ("q1 Q0 a 1 high x\n", "line 1: the score must be a number"),
        ("q1 Q0 a 1 nan x\n", "line 1: the score must be a number"),
        ("q1 Q0 a 1 1 x\nq1 Q0 a 2 1 x\n", "line 2: 'a' is retrieved twice"),
        ("", "no retrieved item"),
    ],
)
def test_a_bad_run_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        trec.read_run(lines(tmp_path / "run", text))


def test_an_id_with_a_blank_cannot_go_into_a_run(tmp_path: Path) -> None:
    queries = read_judged_queries(lines(tmp_path / "j.jsonl", query("nurse", **{"a b": 4})))
    with pytest.raises(ConfigError, match="'a b' of query 'q1' holds blanks"):
        trec.write_run(tmp_path / "run", queries, [np.zeros(1)], "x")
