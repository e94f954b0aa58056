"""A demo tells a slow summarizer from a dead one."""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from nearline.demo.summarizer_metrics import read_count
from nearline.demo.summarizer_work import LOOK_EVERY_S, SAY_EVERY_S, SummarizerWork
from schemas.records import Outcome
from streaming.tools.observer import Seen

URL = "http://models:8900"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def looks(counts: list[float | None], time: Time) -> tuple[SummarizerWork, list[bool]]:
    """What each look says of whether texts were summarized; the time is that of the last look afterwards."""
    script: Iterator[float | None] = iter(counts)
    work = SummarizerWork(URL, count=lambda: next(script), clock=time)
    moved = []
    for _ in counts:
        time.now += LOOK_EVERY_S
        moved.append(work.moved())
    return work, moved


def seen(outcomes: int, calls: int) -> Seen:
    return Seen(outcomes={str(n): Outcome.SUMMARIZED for n in range(outcomes)}, summarizer_calls=calls)


def each_look(first: int, step: float, looks: int) -> list[float | None]:
    return [float(int(first + step * n)) for n in range(looks)]


def test_a_summarizer_that_works_moves_and_its_rate_gives_the_end() -> None:
    work, moved = looks(each_look(10, 4, 10), Time())
    assert moved == [False] + [True] * 9
    assert work.summarized == 36
    assert work.slowness(seen(72, 36), 472) == (
        "the summarizer is slow, not dead: 2.0 texts a second, about 200 to go; the end is expected in 100 s"
    )


def test_texts_without_an_outcome_yet_are_not_to_be_summarized_again() -> None:
    work, _ = looks(each_look(0, 4, 12), Time())
    assert "about 200 to go" in work.slowness(seen(48, 24), 68 + 200 * 68 // 44)


def test_without_outcomes_every_update_may_need_a_text() -> None:
    work, _ = looks(each_look(0, 2, 11), Time())
    assert work.slowness(Seen(), 120) == (
        "the summarizer is slow, not dead: 1.0 texts a second, at most 100 to go; "
        "the end is expected within 100 s"
    )


@pytest.mark.parametrize(
    "counts",
    [each_look(0, 9, 8), [0, 1] + [None] * 7 + [2], each_look(0, 0.25, 22)],
    ids=["fourteen seconds", "two texts", "four texts after the first"],
)
def test_it_is_too_early_to_tell_before_enough_seconds_and_texts(counts: list[float | None]) -> None:
    work, _ = looks(counts, Time())
    assert not work.slowness(Seen(), 100_000)


def test_the_wait_for_the_first_text_is_no_part_of_the_rate() -> None:
    work, _ = looks([0] * 30 + each_look(1, 2, 9), Time())
    assert "1.0 texts a second" in work.slowness(Seen(), 500)


def test_texts_that_come_many_at_once_have_the_rate_of_the_whole() -> None:
    burst = [16.0 * (n // 10) for n in range(41)]  # 16 texts every 20 s
    work, _ = looks([*burst], Time())
    assert "0.8 texts a second" in work.slowness(Seen(), 500)


def test_the_rate_is_that_of_late() -> None:
    work, _ = looks(each_look(0, 20, 60) + each_look(1180, 2, 20)[1:], Time())
    assert "1.0 texts a second" in work.slowness(Seen(), 5000)


def test_a_rate_far_below_one_keeps_two_figures() -> None:
    work, _ = looks(each_look(0, 0.125, 49), Time())
    assert "0.062 texts a second, at most 94 to go" in work.slowness(Seen(), 100)


def test_a_whole_run_is_told_its_end_within_a_fifth() -> None:
    """370 updates, 240 of them with a text; nothing for 19 s, then 2.4 texts a second, outcomes 15 texts later."""
    time, written = Time(), 0.0
    work = SummarizerWork(URL, count=lambda: float(int(written)), clock=time)
    said = []
    for second in range(119):
        time.now += 1
        written = max(0, second - 19) * 2.4
        work.moved()
        calls = max(0, int(written) - 15)
        if line := work.slowness(seen(calls * 370 // 240, calls), 370):
            said.append((second, line))
    ((second, line),) = said
    (expected,) = re.findall(r"about \d+ to go; the end is expected in (\d+) s", line)
    assert second < 40
    assert second + int(expected) == pytest.approx(119, rel=0.2)


def test_the_line_comes_once_a_minute() -> None:
    time = Time()
    work, _ = looks(each_look(0, 1, 80), time)
    assert work.slowness(Seen(), 1000)
    assert not work.slowness(Seen(), 1000)


def test_the_line_comes_again_when_a_text_came_a_minute_later() -> None:
    time, texts = Time(), 0.0
    work = SummarizerWork(URL, count=lambda: texts, clock=time)
    said = []
    for look in range(80):
        time.now += LOOK_EVERY_S
        texts = look
        work.moved()
        said += [time.now] if work.slowness(Seen(), 1000) else []
    assert len(said) == 3
    assert {later - sooner for sooner, later in pairwise(said)} == {SAY_EVERY_S}


def test_a_summarizer_that_has_stopped_is_not_called_slow() -> None:
    work, _ = looks([*each_look(0, 2, 20), 38, 38], Time())
    assert not work.slowness(Seen(), 1000)


def test_a_summarizer_that_is_fast_enough_is_not_called_slow() -> None:
    work, _ = looks(each_look(0, 100, 20), Time())
    assert not work.slowness(seen(0, 0), 3000)


def test_a_summarizer_that_does_nothing_does_not_move() -> None:
    work, moved = looks([7, 7, 7], Time())
    assert not any(moved)
    assert not work.slowness(Seen(), 1000)
    assert work.death() == f"the model server {URL} has summarized no text meanwhile; "


def test_a_server_that_does_not_answer_is_named() -> None:
    work, moved = looks([3, None, None], Time())
    assert not any(moved)
    assert work.summarized == 0
    assert URL in work.death()
    assert "does not say" in work.death()


def test_a_server_that_started_again_counts_from_zero() -> None:
    work, moved = looks([50, 60, 0, 4], Time())
    assert moved == [False, True, False, True]
    assert work.summarized == 14


def test_it_looks_no_more_than_every_two_seconds() -> None:
    asked: list[None] = []

    def count() -> float:
        asked.append(None)
        return float(len(asked))

    work = SummarizerWork(URL, count=count, clock=Time())
    assert [work.moved() for _ in range(5)] == [False] * 5
    assert len(asked) == 1


def test_without_a_model_there_is_nothing_to_follow() -> None:
    work = SummarizerWork(None, count=lambda: 1.0, clock=Time())
    assert not work.moved()
    assert work.death() == ""
    assert work.summarized is None


def test_the_counter_is_read_from_the_servers_page() -> None:
    page = (
        "# TYPE nearline_model_items_total counter\n"
        'nearline_model_items_total{route="/v1/score"} 900.0\n'
        'nearline_model_items_total{route="/v1/completions"} 12.0\n'
    )
    assert read_count(page) == 12.0
    assert read_count("# TYPE nearline_model_items_total counter\n") == 0.0
    assert read_count("# TYPE other_total counter\nother_total 1.0\n") is None
