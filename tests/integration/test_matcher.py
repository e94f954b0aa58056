"""The matcher as a process against a real broker: what it reads first, what it never loses, what it stops sending."""

import signal
from dataclasses import replace

import pytest

from nearline.stack.tools import free_port
from schemas.records import FeatureRecord, SavedSearch, State
from streaming.kafka import topics
from streaming.kafka.messages import Outgoing
from tests.integration.kafka_stage import Stage, gauge
from tests.pipeline.builders import feature

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

MATCHER = "streaming.matcher"
#: Windows stay open and offsets uncommitted for longer than a test runs.
HELD_BACK = ("--window-s", "600", "--commit-s", "600")


def serving() -> tuple[str, str]:
    """The option by which a matcher serves its metrics, at a port of its own."""
    return "--metrics-port", str(free_port())


def counted(metrics: tuple[str, str], name: str) -> float:
    return gauge(int(metrics[1]), f"nearline_matcher_{name}")


def nurse(number: int) -> FeatureRecord:
    return feature(posting_id=f"nurse-{number}", title="Night nurse", summary="care for patients at night")


def search(search_id: str, query: str = "night nurse") -> SavedSearch:
    return SavedSearch(search_id=search_id, query=query)


def test_searches_that_exist_are_met_by_the_first_feature_and_requests_hold_many_items(stage: Stage) -> None:
    stage.send_searches([search("a"), search("b"), search("c", "baker")])
    stage.send_features([nurse(n) for n in range(50)])
    stage.start(MATCHER)
    wanted = {(s, f"nurse-{n}") for s in "ab" for n in range(50)}
    stage.until(lambda: stage.pairs() >= wanted)
    assert stage.pairs() == wanted
    assert len(stage.requests()) < 30


def test_a_search_that_comes_late_meets_the_open_postings_in_the_store(stage: Stage) -> None:
    closed = replace(nurse(1), state=State.CLOSED, lifecycle_version=2, version=2)
    stage.store_features([nurse(0), closed, nurse(2)])
    stage.start(MATCHER)
    stage.send_features([nurse(3)])
    stage.send_searches([search("late")])
    stage.until(lambda: stage.pairs() == {("late", f"nurse-{n}") for n in (0, 2, 3)})


def test_an_unsubscribed_search_gets_no_candidates_and_what_waited_is_cancelled(stage: Stage) -> None:
    stage.send_searches([search("a"), search("b")])
    stage.start(MATCHER, *HELD_BACK, *(metrics := serving()))
    stage.send_features([nurse(0)])
    stage.until(lambda: counted(metrics, "features_total") == 1)
    stage.send([Outgoing(topics.SEARCHES.name, b"a", None)])
    stage.quiet(2)
    stage.processes[0].send_signal(signal.SIGTERM)
    assert stage.processes[0].wait(20) == 0, stage.logs()
    stage.until(lambda: stage.pairs() == {("b", "nurse-0")})


def test_nothing_is_lost_when_the_matcher_is_killed_with_windows_open(stage: Stage) -> None:
    stage.send_searches([search("a")])
    first = stage.start(MATCHER, *HELD_BACK, *(metrics := serving()))
    stage.send_features([nurse(n) for n in range(20)])
    stage.until(lambda: counted(metrics, "features_total") == 20)
    first.kill()
    first.wait()
    assert stage.pairs() == set()
    stage.start(MATCHER)
    stage.until(lambda: stage.pairs() == {("a", f"nurse-{n}") for n in range(20)})


def test_a_killed_meeting_of_a_new_search_with_the_store_is_held_again(stage: Stage) -> None:
    stage.store_features([nurse(n) for n in range(3000)])
    stage.send_searches([search("a")])
    first = stage.start(MATCHER, *HELD_BACK, "--max-items", "100000", *(metrics := serving()))
    stage.until(lambda: counted(metrics, "met_postings_total") == 3000)
    first.kill()
    first.wait()
    assert stage.pairs() == set()
    stage.start(MATCHER)
    stage.until(lambda: len(stage.pairs()) == 3000)


def test_a_search_that_was_met_is_not_met_again_after_a_restart(stage: Stage) -> None:
    stage.store_features([nurse(0)])
    stage.send_searches([search("a")])
    first = stage.start(MATCHER)
    stage.until(lambda: len(stage.pairs()) == 1)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    stage.start(MATCHER)
    stage.send_searches([search("b")])
    stage.until(lambda: len(stage.pairs()) == 2)
    assert sorted(r.search.search_id for r in stage.requests()) == ["a", "b"]


def test_two_matchers_share_the_postings_and_one_takes_over_from_the_other(stage: Stage) -> None:
    stage.send_searches([search("a")])
    one = stage.start(MATCHER, "--session-timeout-s", "6", instance="one")
    stage.start(MATCHER, "--session-timeout-s", "6", instance="two")
    stage.send_features([nurse(n) for n in range(100)])
    stage.until(lambda: len(stage.pairs()) == 100)
    one.kill()
    one.wait()
    stage.store_features([nurse(n) for n in range(100, 120)])
    stage.send_searches([search("b")])
    stage.send_features([nurse(n) for n in range(120, 200)])
    wanted = {("a", f"nurse-{n}") for n in (*range(100), *range(120, 200))}
    wanted |= {("b", f"nurse-{n}") for n in range(200)}
    stage.until(lambda: stage.pairs() >= wanted)


def test_what_cannot_be_read_is_a_dead_letter_once_and_stops_nothing(stage: Stage) -> None:
    stage.send(
        [
            Outgoing(topics.SEARCHES.name, b"x", b"\x00broken"),
            Outgoing(topics.FEATURES.name, b"y", b"\xc3\x01broken"),
        ]
    )
    stage.send_searches([search("a")])
    stage.send_features([nurse(0)])
    first = stage.start(MATCHER)
    stage.until(lambda: stage.pairs() == {("a", "nurse-0")} and len(stage.letters()) == 2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    stage.start(MATCHER)
    stage.send_features([nurse(1)])
    stage.until(lambda: ("a", "nurse-1") in stage.pairs())
    stage.quiet()
    letters = {
        (m.headers["topic"], m.headers["partition"], m.headers["offset"], m.value) for m in stage.letters()
    }
    assert {(topic, value) for topic, _, _, value in letters} == {
        (b"searches", b"\x00broken"),
        (b"postings.features", b"\xc3\x01broken"),
    }
    assert len(stage.letters()) == 2
    assert all(m.headers["reason"] for m in stage.letters())


def test_a_topic_that_does_not_exist_is_named(stage: Stage) -> None:
    stage.delete_topic(topics.SCORE_REQUESTS.name)
    process = stage.start(MATCHER)
    assert process.wait(100) == 2, stage.logs()
    assert "score.requests" in stage.logs()
