"""`nearline train judge`: files in, a judged table out, and what it refuses."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nearline.cli.app import app
from schemas.errors import ConfigError
from tests.support.judging import ask, posting
from tests.training.teachers.chat_server import ChatServer, chatting, content
from training.judging.policy import load_policy
from training.judging.postings import PostingRow
from training.judging.queries import Query, read_queries
from training.judging.records import Ask, TeacherVerdict
from training.judging.run import NO_EVIDENCE, check_splits, judge
from training.judging.table import read_judgements
from training.judging.unjudged import Rejects

POLICY = load_policy()
WORDS = (
    "ward",
    "clinic",
    "school",
    "van",
    "desk",
    "field",
    "lab",
    "kitchen",
    "court",
    "port",
    "mill",
    "shop",
)

LISTENING = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)
"""In front of a command: a test run in the background ignores SIGINT, and its children would, too."""


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def postings(folder: Path, count: int = 6) -> Path:
    """p0, p1, …: drivers and nurses in turn, each with a text of its own."""
    rows = (
        {
            "id": f"p{n}",
            "title": "nurse" if n % 2 else "driver",
            "description": " ".join(f"{word}{n}" for word in WORDS),
        }
        for n in range(count)
    )
    return lines(folder / "postings.jsonl", *rows)


def query(
    query_id: str = "q1", words: str = "nurse", items: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    return {"query_id": query_id, "query": words, "items": items or ["p0", "p1"], **more}


def run(folder: Path, *arguments: str, queries: Path | None = None) -> Result:
    given = ("--queries", str(queries)) if queries else ()
    fixed = ("--postings", str(folder / "postings.jsonl"), "--out", str(folder / "judged.parquet"))
    words = ["train", "judge", *fixed, *given, "--cache", str(folder / "cache"), *arguments]
    return CliRunner().invoke(app, words)


def by_llm(folder: Path, server: ChatServer, queries: Path, *arguments: str) -> Result:
    settings = ("--teacher", "llm", "--url", server.url, "--model", "m", "--concurrency", "2")
    return run(folder, *settings, *arguments, queries=queries)


def figures(result: Result) -> dict[str, Any]:
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_an_llm_judges_a_queries_file_into_a_table_with_grades_label_soft_label_and_names(
    tmp_path: Path,
) -> None:
    postings(tmp_path)
    asked = lines(
        tmp_path / "q.jsonl", query(split="dev", strata=["title only"]), query("q2", "driver", ["p2"])
    )
    with chatting() as server:
        told = figures(by_llm(tmp_path, server, asked))
    first, second, third = read_judgements(tmp_path / "judged.parquet")
    assert [(row.query_id, row.posting_id, row.label) for row in (first, second, third)] == [
        ("q1", "p0", 0),
        ("q1", "p1", 4),
        ("q2", "p2", 4),
    ]
    assert (first.soft_label, second.soft_label) == pytest.approx((0.02, 0.98))
    assert (first.split, first.strata, second.query) == ("dev", ("title only",), "nurse")
    assert (first.teacher, first.policy) == ("llm:m@1", POLICY.identity)
    assert second.grades == dict.fromkeys(POLICY.keys, 4)
    assert (told["judged"], told["unjudged"], told["labels"], told["calls"]) == (3, 0, [1, 0, 0, 0, 2], 3)
    assert not (tmp_path / "judged.unjudged.jsonl").exists()


def test_a_run_that_stops_halfway_keeps_the_old_table_and_goes_on_without_paying_again(
    tmp_path: Path,
) -> None:
    postings(tmp_path, 10)
    asked = lines(tmp_path / "q.jsonl", query(items=[f"p{n}" for n in range(10)]))
    out = tmp_path / "judged.parquet"
    out.write_bytes(b"the last good one")
    with chatting() as server:
        server.dead_after = 4
        stopped = by_llm(tmp_path, server, asked, "--attempts", "1")
        assert isinstance(stopped.exception, ConfigError)
        assert "4 verdicts are kept" in str(stopped.exception)
        assert out.read_bytes() == b"the last good one"
        server.dead_after, paid = 10**9, len(server.requests)
        told = figures(by_llm(tmp_path, server, asked, "--attempts", "1"))
        assert len(server.requests) - paid == 6
    assert (told["judged"], told["cached"], told["calls"]) == (10, 4, 6)
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


def test_unjudged_pairs_stand_with_their_reasons_beside_the_table_and_are_no_zeros(tmp_path: Path) -> None:
    postings(tmp_path)
    asked = lines(tmp_path / "q.jsonl", query())
    with chatting() as server:
        server.script = [content(9)] * 3
        told = figures(by_llm(tmp_path, server, asked, "--concurrency", "1"))
    assert [row.posting_id for row in read_judgements(tmp_path / "judged.parquet")] == ["p1"]
    (reject,) = map(json.loads, (tmp_path / "judged.unjudged.jsonl").read_text().splitlines())
    assert (reject["query_id"], reject["posting_id"]) == ("q1", "p0")
    assert "occupation must be an integer from 0 to 4, not 9" in reject["reason"]
    assert told["reasons"] == {"no usable answer in 3": 1}


def test_a_run_without_one_judgement_is_an_error_and_leaves_the_table_alone(tmp_path: Path) -> None:
    postings(tmp_path)
    asked = lines(tmp_path / "q.jsonl", query(items=["p0"]))
    with chatting() as server:
        server.script = ["no"] * 3
        failed = by_llm(tmp_path, server, asked)
    assert isinstance(failed.exception, ConfigError)
    assert "no pair was judged" in str(failed.exception)
    assert not (tmp_path / "judged.parquet").exists()
    assert (tmp_path / "judged.unjudged.jsonl").exists()


def test_another_teacher_judges_the_pairs_of_a_judged_table(tmp_path: Path) -> None:
    postings(tmp_path)
    asked = lines(tmp_path / "q.jsonl", query(items=["p3", "p0"], split="train", strata=["one facet"]))
    with chatting() as server:
        by_llm(tmp_path, server, asked)
        first = read_judgements(tmp_path / "judged.parquet")
        again = by_llm(tmp_path, server, tmp_path / "judged.parquet", "--model", "other")
    assert again.exception is None
    second = read_judgements(tmp_path / "judged.parquet")
    assert [row.teacher for row in second] == ["llm:other@1"] * 2
    assert [(row.posting_id, row.split, row.strata) for row in second] == [
        (row.posting_id, row.split, row.strata) for row in first
    ]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{", "line 2: Expecting"),
        ("[1]", "line 2: not an object"),
        ({"query": "nurse", "items": ["p0"]}, "line 2: query_id is missing"),
        ({"query_id": "q2", "items": ["p0"]}, "line 2: query is missing"),
        (query("q2", " "), "line 2: query must be a text"),
        (query("q1"), "line 2: query_id 'q1' stands in line 1 already"),
        (query("q2", items=["p0", "p0"]), "line 2: items names 'p0' 2 times"),
        (query("q2") | {"items": []}, "line 2: items must be a list of texts with at least one"),
        (query("q2") | {"items": [{"id": "p0", "grade": 2}]}, "line 2: items must be a list of texts"),
        (query("q2", split="valid"), "line 2: split must be one of train, dev, test, not 'valid'"),
        (query("q2", strata="one facet"), "line 2: strata must be a list"),
        (query("q2", needs=[1]), "line 2: needs must be an object"),
        (query("q2", spilt="dev"), "line 2: 'spilt' is not a field"),
        (query("q2", items=["p0", "p77"]), "query 'q2': the postings file has no posting 'p77'"),
    ],
)
def test_a_queries_file_with_a_mistake_is_refused_before_anything_is_paid_for(
    tmp_path: Path, row: object, named: str
) -> None:
    postings(tmp_path)
    with chatting() as server:
        failed = by_llm(tmp_path, server, lines(tmp_path / "q.jsonl", query(), row))
    assert isinstance(failed.exception, ConfigError)
    assert named in str(failed.exception)
    assert server.requests == []


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (query(), query("q2", "cook", ["p1"], split="train"), "posting p1 stands in the splits"),
        (query(items=["p1"]), query("q2", "cook", ["twin"], split="train"), "near-duplicates in two splits"),
    ],
)
def test_a_leak_between_splits_is_refused_before_anything_is_paid_for(
    tmp_path: Path, first: object, second: object, named: str
) -> None:
    path = postings(tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    twin = rows[1] | {"id": "twin", "description": rows[1]["description"] + " today"}
    lines(path, *rows, twin)
    with chatting() as server:
        failed = by_llm(tmp_path, server, lines(tmp_path / "q.jsonl", first, second))
    assert isinstance(failed.exception, ConfigError)
    assert named in str(failed.exception)
    assert server.requests == []


def test_an_empty_file_or_one_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"q\.jsonl holds no query"):
        read_queries(lines(tmp_path / "q.jsonl", "", " "))
    (tmp_path / "q.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"q\.jsonl is damaged or no UTF-8 text"):
        read_queries(tmp_path / "q.jsonl")
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(json.dumps(query()).encode())[:-9])
    with pytest.raises(ConfigError, match=r"q\.jsonl\.gz is damaged or no UTF-8 text"):
        read_queries(tmp_path / "q.jsonl.gz")


def test_a_queries_file_may_be_gzipped(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(json.dumps(query()).encode()))
    (found,) = read_queries(tmp_path / "q.jsonl.gz")
    assert (found.ask.query, found.posting_ids) == ("nurse", ("p0", "p1"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--url", ""), "--teacher llm needs --url and --model"),
        (("--url", "localhost:1"), "names no model server"),
        (("--api-key-env", "NEARLINE_NO_SUCH_KEY"), "--api-key-env NEARLINE_NO_SUCH_KEY"),
        (("--request", "{"), "is not JSON"),
        (("--request", '{"messages": []}'), "messages, model"),
        (("--policy", "nowhere.toml"), r"the policy nowhere.toml cannot be read"),
        (("--out", "."), "--out ."),
    ],
)
def test_a_setting_that_cannot_work_is_named(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    postings(tmp_path)
    with chatting() as server:
        failed = by_llm(tmp_path, server, lines(tmp_path / "q.jsonl", query()), *arguments)
    assert isinstance(failed.exception, ConfigError)
    assert named in str(failed.exception)
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--teacher", "llm"), "--teacher llm needs --queries"),
        (("--splits", "valid=3"), "--splits 'valid=3'"),
        (("--splits", "train=-3"), "--splits 'train=-3'"),
    ],
)
def test_without_queries_only_the_rules_draw_some(
    tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    postings(tmp_path)
    failed = run(tmp_path, *arguments)
    assert isinstance(failed.exception, ConfigError)
    assert named in str(failed.exception)


def test_queries_without_items_get_a_pool_of_their_own_split_that_holds_what_they_ask_for(
    tmp_path: Path,
) -> None:
    postings(tmp_path, 60)
    rows = [query("a", "nurse", split="train"), query("b", "driver", split="test")]
    asked = lines(tmp_path / "q.jsonl", *({k: v for k, v in row.items() if k != "items"} for row in rows))
    with chatting() as server:
        told = figures(by_llm(tmp_path, server, asked))
    judged = read_judgements(tmp_path / "judged.parquet")
    assert {row.query_id for row in judged if row.label == 4} == {"a", "b"}
    assert not {r.posting_id for r in judged if r.split == "train"} & {
        r.posting_id for r in judged if r.split == "test"
    }
    assert told["judged"] == len(judged)


# The rule teacher

NURSE = {"domain": "health", "occupation": "nurse", "facets": ["part_time"]}


def wards(folder: Path) -> None:
    rows = {
        "a": ("Staff Nurse", "Part-time, 20 hours a week, on a ward for elderly patients."),
        "b": ("Staff Nurse", "Full time only, on a ward for children."),
        "c": ("Opportunity", "Come and join us."),
        "d": ("Midwife", "Part-time on the labour ward."),
    }
    described = ({"id": key, "title": title, "description": text} for key, (title, text) in rows.items())
    lines(folder / "postings.jsonl", *described)


def test_the_rules_judge_what_needs_say_and_leave_unjudged_what_nothing_speaks_for(tmp_path: Path) -> None:
    wards(tmp_path)
    row = query(words="ward nurse, reduced hours", items=["a", "b", "c", "d"], needs=NURSE)
    told = figures(run(tmp_path, queries=lines(tmp_path / "q.jsonl", row)))
    judged = {row.posting_id: row for row in read_judgements(tmp_path / "judged.parquet")}
    assert (judged["a"].label, judged["b"].label) == (4, 1)
    assert judged["a"].label > judged["d"].label
    assert (judged["a"].teacher, judged["a"].policy) == ("rules@2", POLICY.identity)
    assert "part_time" in judged["a"].evidence["stated"]
    assert (told["judged"], told["unjudged"], told["reasons"]) == (3, 1, {NO_EVIDENCE: 1})


@pytest.mark.parametrize(
    ("needs", "named"),
    [
        ({}, "query 'q1': the rules need to know"),
        (NURSE | {"domain": "law"}, "query 'q1': the rules need to know"),
        (NURSE | {"occupation": "wizard"}, "wizard"),
        (NURSE | {"facets": ["levitation"]}, "levitation"),
        (NURSE | {"facets": 3}, "needs.facets a list"),
        ({"domain": "health"}, "needs.occupation"),
    ],
)
def test_needs_that_the_rules_do_not_know_are_named(
    tmp_path: Path, needs: dict[str, Any], named: str
) -> None:
    wards(tmp_path)
    failed = run(tmp_path, queries=lines(tmp_path / "q.jsonl", query(items=["a"], needs=needs)))
    assert isinstance(failed.exception, ConfigError)
    assert named in str(failed.exception)


def test_needs_of_two_domains_are_judged_apart(tmp_path: Path) -> None:
    wards(tmp_path)
    other = query("q2", "cook", ["a"], needs=NURSE | {"domain": "technology"})
    failed = run(tmp_path, queries=lines(tmp_path / "q.jsonl", query(items=["a"], needs=NURSE), other))
    assert isinstance(failed.exception, ConfigError)
    assert "query 'q2' is of another domain than 'q1'" in str(failed.exception)


class Sparing:
    """A teacher that judges every second posting, by whatever dimensions."""

    name = "sparing@1"

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def judge_many(self, pairs: Sequence[tuple[Ask, PostingRow]]) -> list[TeacherVerdict | None]:
        return [
            TeacherVerdict(grades=dict.fromkeys(self._keys, 2)) if n % 2 else None
            for n, _ in enumerate(pairs)
        ]


def test_a_teacher_is_given_chunks_and_the_run_tells_how_far_it_is() -> None:
    done: list[int] = []
    rejects = Rejects()
    pairs = [(ask(), posting(f"p{n}")) for n in range(7)]
    judged = list(judge(pairs, Sparing(*POLICY.keys), POLICY, rejects, chunk=3, done=done.append))
    assert [row.posting_id for row in judged] == ["p1", "p4"]
    assert [(reject.posting_id, reject.reason) for reject in rejects] == [
        (f"p{n}", NO_EVIDENCE) for n in (0, 2, 3, 5, 6)
    ]
    assert done == [3, 3, 1]


def test_a_teacher_of_another_policy_is_refused_by_name() -> None:
    pairs = [(ask(), posting(f"p{n}")) for n in range(2)]
    with pytest.raises(ConfigError, match="sparing@1 does not grade by the policy matching@1"):
        list(judge(pairs, Sparing("beauty"), POLICY, Rejects(), chunk=9))


OTHERS = (("train", "p1"), ("test", "p2"))
FAR = {"p1": posting("p1", text="wards by night and day"), "p2": posting("p2", text="a clinic in the hills")}


def test_one_split_may_hold_twins_and_two_may_ask_the_same() -> None:
    rows = {key: posting(key, text="the same text of some length") for key in ("p1", "p2")}
    check_splits([Query(ask=ask(), posting_ids=("p1", "p2"))], rows)
    apart = [
        Query(ask=ask(split="train"), posting_ids=("p1",)),
        Query(ask=ask("cook", "q2"), posting_ids=("p2",)),
    ]
    with pytest.raises(ConfigError, match="near-duplicates"):
        check_splits(apart, rows)


# Ctrl-C


def test_ctrl_c_keeps_what_was_paid_for_and_says_how_to_go_on(tmp_path: Path) -> None:
    postings(tmp_path, 10)
    asked = lines(tmp_path / "q.jsonl", query(items=[f"p{n}" for n in range(10)]))
    command = [
        sys.executable,
        "-m",
        "nearline",
        "train",
        "judge",
        "--queries",
        str(asked),
        "--teacher",
        "llm",
    ]
    command += ["--postings", str(tmp_path / "postings.jsonl"), "--out", str(tmp_path / "judged.parquet")]
    with chatting() as server:
        server.script = [content(4)] * 5 + ["hang"]
        command += ["--url", server.url, "--model", "m", "--concurrency", "1", "--cache", str(tmp_path)]
        with subprocess.Popen([*LISTENING, *command], stderr=subprocess.PIPE, text=True) as running:
            while len(server.requests) < 6:
                time.sleep(0.02)
                assert running.poll() is None
            running.send_signal(signal.SIGINT)
            _, told = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "5 verdicts are kept" in told
    assert "Traceback" not in told
    assert not (tmp_path / "judged.parquet").exists()
    with chatting() as server:
        again = figures(by_llm(tmp_path, server, asked, "--cache", str(tmp_path)))
    assert (again["cached"], again["calls"]) == (5, 5)
