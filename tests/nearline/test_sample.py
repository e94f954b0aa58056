"""The promises of the shipped sample, read from its files alone: no parser of ours takes part."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "nearline" / "sample"
OPS = {"add", "update", "repost", "close", "open", "remove"}
NEED_POSTING = {"add", "update", "repost"}
NO_TEXT = {"beekeeper-empty"}


def lines(name: str) -> list[str]:
    """The file's lines, split at newlines alone: other separators may stand in the text."""
    return (SAMPLE / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")


def event(line: str) -> dict[str, Any] | None:
    """The line's event, or None where the line is broken."""
    try:
        row = json.loads(line)
        datetime.fromisoformat(row["ts"])
        posting = row.get("posting")
        text = None if posting is None else posting["title"] + posting["description"]
    except (ValueError, TypeError, KeyError):
        return None
    unnamed = not isinstance(row.get("id"), str) or row.get("op") not in OPS
    lacking = text == "" or (text is None and row.get("op") in NEED_POSTING)
    return None if unnamed or lacking else row


def events() -> list[dict[str, Any]]:
    return [row for row in map(event, lines("stream.jsonl")) if row is not None]


def snapshots() -> Iterator[tuple[str, dict[str, Any]]]:
    return ((row["id"], row["posting"]) for row in events() if "posting" in row)


def latest_texts() -> dict[str, str]:
    return {name: posting["description"] for name, posting in snapshots()}


def five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def instants_by_posting() -> dict[str, list[tuple[datetime, str]]]:
    found: dict[str, list[tuple[datetime, str]]] = {}
    for row in events():
        found.setdefault(row["id"], []).append((datetime.fromisoformat(row["ts"]), row["ts"]))
    return found


def test_there_are_at_least_sixty_postings_and_their_titles_differ() -> None:
    titles = {name: posting["title"] for name, posting in snapshots()}
    assert len(titles) >= 60
    assert len(set(titles.values())) == len(titles)


def test_every_description_has_150_to_500_words_but_the_one_that_is_empty() -> None:
    counts = {(name, len(posting["description"].split())) for name, posting in snapshots()}
    assert {name for name, words in counts if words == 0} == NO_TEXT
    assert not [(name, words) for name, words in counts if name not in NO_TEXT and not 150 <= words <= 500]


def test_no_two_postings_share_a_fifth_of_their_five_word_runs() -> None:
    grams = {name: five_grams(text) for name, text in latest_texts().items() if name not in NO_TEXT}
    for (one, left), (other, right) in combinations(grams.items(), 2):
        shared = len(left & right)
        assert shared < 0.2 * (len(left) + len(right) - shared), f"{one} and {other}"


def test_the_readme_states_how_many_lines_of_each_op_there_are() -> None:
    ops = Counter("broken" if row is None else row["op"] for row in map(event, lines("stream.jsonl")))
    stated = re.findall(r"^\| (\w+) \| (\d+) \|$", (SAMPLE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {op: int(count) for op, count in stated} == ops
    assert set(ops) == OPS | {"broken"}
    assert sum(ops.values()) >= 260
    assert ops["broken"] >= 8


def test_employment_types_remote_values_and_salaries_are_as_mixed_as_in_real_feeds() -> None:
    postings = [posting for _, posting in snapshots()]
    assert {posting["employment_type"] for posting in postings} == {
        "full-time",
        "part-time",
        "contract",
        "temporary",
        "internship",
        None,
    }
    assert {str(posting["remote"]) for posting in postings} == {
        "True",
        "False",
        "hybrid",
        "remote",
        "onsite",
        "None",
    }
    assert {type(posting["salary"]) for posting in postings} == {type(None), str, dict}


def test_some_updates_change_the_text_and_some_the_metadata_alone() -> None:
    before: dict[str, dict[str, Any]] = {}
    kinds: Counter[tuple[str, bool]] = Counter()
    for row in events():
        if "posting" in row:
            old = before.get(row["id"], row["posting"])
            if old != row["posting"] or row["op"] == "repost":
                kinds[row["op"], old["description"] != row["posting"]["description"]] += 1
            before[row["id"]] = row["posting"]
    for op in ("update", "repost"):
        assert kinds[op, True] >= 8
        assert kinds[op, False] >= 8


def test_events_arrive_after_newer_ones_of_their_posting() -> None:
    late = [
        name
        for name, times in instants_by_posting().items()
        if [at for at, _ in times] != sorted(at for at, _ in times)
    ]
    assert len(late) >= 5


def test_order_as_text_is_not_order_in_time_within_some_posting() -> None:
    misread = [
        name
        for name, times in instants_by_posting().items()
        if sorted(times) != sorted(times, key=lambda time: time[1])
    ]
    assert len(misread) >= 3


def test_whole_lines_come_twice() -> None:
    assert sum(count == 2 for count in Counter(lines("stream.jsonl")).values()) >= 5


def test_a_posting_is_opened_with_a_snapshot_and_another_without() -> None:
    assert {"posting" in row for row in events() if row["op"] == "open"} == {True, False}


@pytest.mark.parametrize("later", ["add", "update"])
def test_a_removed_posting_meets_a_later_event(later: str) -> None:
    removed = {
        row["id"]: datetime.fromisoformat(row["ts"]) for row in reversed(events()) if row["op"] == "remove"
    }
    assert [
        row["id"]
        for row in events()
        if row["op"] == later
        and row["id"] in removed
        and datetime.fromisoformat(row["ts"]) > removed[row["id"]]
    ]


def test_there_are_at_least_thirty_searches_with_their_own_ids_and_sound_limits() -> None:
    searches = [json.loads(line) for line in lines("searches.jsonl")]
    assert len({search["id"] for search in searches}) == len(searches) >= 30
    for search in searches:
        assert search["query"].strip()
        assert 0 < search.get("threshold", 0.5) < 1
        assert search.get("top_k", 1) >= 1
        assert search.get("remote") in (True, False, None)


def test_some_searches_filter_hard_and_some_leave_their_filters_out() -> None:
    searches = [json.loads(line) for line in lines("searches.jsonl")]
    for field in ("location", "remote", "employment_type"):
        assert any(search.get(field) is not None for search in searches)
        assert any(field not in search for search in searches)
