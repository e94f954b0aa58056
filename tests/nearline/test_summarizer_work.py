"""A demo tells a slow summarizer from a dead one."""

from collections.abc import Iterator

from nearline.demo.summarizer_work import LOOK_EVERY_S, SAY_EVERY_S, SummarizerWork, read_count
from schemas.records import Outcome
from streaming.tools.observer import Seen

URL = "http://models:8900"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def looks(counts: list[float | None], time: Time) -> tuple[SummarizerWork, list[bool]]:
    script: Iterator[float | None] = iter(counts)
    work = SummarizerWork(URL, count=lambda: next(script), clock=time)
    moved = []
    for _ in counts:
        moved.append(work.moved())
        time.now += LOOK_EVERY_S
    return work, moved


def seen(outcomes: int, calls: int) -> Seen:
    return Seen(outcomes={str(n): Outcome.SUMMARIZED for n in range(outcomes)}, summarizer_calls=calls)


def test_a_summarizer_that_works_moves_and_its_rate_gives_the_end() -> None:
    time = Time()
    work, moved = looks([10, 14, 18, 22], time)
    assert moved == [False, True, True, True]
    assert work.texts_per_s() == 2.0
    assert work.slowness(seen(20, 10), 420) == (
        "the summarizer is slow, not dead: 2.0 texts a second, about 200 to go; the end is expected in 100 s"
    )


def test_the_line_comes_once_a_minute() -> None:
    time = Time()
    work, _ = looks([0, 1, 2], time)
    assert work.slowness(Seen(), 1000)
    assert not work.slowness(Seen(), 1000)
    time.now += SAY_EVERY_S
    assert work.slowness(Seen(), 1000).endswith("expected in 33 min")


def test_a_summarizer_that_is_fast_enough_is_not_called_slow() -> None:
    work, _ = looks([0, 100, 200], Time())
    assert not work.slowness(seen(0, 0), 370)


def test_a_summarizer_that_does_nothing_does_not_move() -> None:
    work, moved = looks([7, 7, 7], Time())
    assert not any(moved)
    assert not work.slowness(Seen(), 1000)
    assert work.death() == f"the model server {URL} has summarized no text meanwhile; "


def test_a_server_that_does_not_answer_is_named() -> None:
    work, moved = looks([3, None, None], Time())
    assert not any(moved)
    assert URL in work.death()
    assert "does not say" in work.death()


def test_a_server_that_started_again_counts_from_zero() -> None:
    work, moved = looks([50, 60, 0, 4], Time())
    assert moved == [False, True, False, True]
    assert work.texts_per_s() == 2.0


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


def test_the_counter_is_read_from_the_servers_page() -> None:
    page = (
        "# TYPE nearline_model_items_total counter\n"
        'nearline_model_items_total{route="/v1/score"} 900.0\n'
        'nearline_model_items_total{route="/v1/completions"} 12.0\n'
    )
    assert read_count(page) == 12.0
    assert read_count("# TYPE nearline_model_items_total counter\n") == 0.0
    assert read_count("# TYPE other_total counter\nother_total 1.0\n") is None
