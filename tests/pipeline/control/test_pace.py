"""What one task may ask of a model server that it shares."""

from collections.abc import Sequence

import pytest

from models.summarizer import InstantSummarizer, Summary, SummaryFailure, SummaryRejected, SummaryUnavailable
from pipeline.control.pace import CALLS_A_SLOT, LEAST_SHARE, Pace, PacedSummarizer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Busy:
    """Refuses all but the first `room` texts of a round while `refusing`; each round takes a second."""

    def __init__(self, clock: Clock, room: int, refusing: int) -> None:
        self.rounds: list[int] = []
        self._clock, self._room, self._refusing = clock, room, refusing

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        self.rounds.append(len(texts))
        self._clock.sleep(1.0)
        self._refusing -= 1
        answers = InstantSummarizer().summarize_many(texts, deadline_s)
        room = self._room if self._refusing >= 0 else len(texts)
        return [*answers[:room], *[SummaryUnavailable(reason="429", retry_after_s=2.0)] * (len(texts) - room)]


def test_a_refused_task_halves_what_it_asks_and_recovers_step_by_step() -> None:
    pace = Pace(in_flight=8)
    for _ in range(3):
        pace.refused()
    assert (pace.share, pace.calls()) == (1 / 8, 1)
    for _ in range(6):
        pace.went_well()
    assert pace.calls() == 4
    for _ in range(20):
        pace.went_well()
    assert (pace.share, pace.calls()) == (1.0, CALLS_A_SLOT * 8)
    for _ in range(20):
        pace.refused()
    assert (pace.share, pace.calls()) == (LEAST_SHARE, 1)


def test_the_rate_is_kept_and_halved_with_the_share() -> None:
    pace = Pace(in_flight=4, rate_per_s=2.0)
    assert [pace.pause_s(4, now) for now in (0.0, 0.0, 3.0)] == [0.0, 2.0, 1.0]
    pace.refused()
    pace.pause_s(4, 100.0)
    assert pace.pause_s(4, 100.0) == 4.0


def test_what_is_refused_is_asked_again_in_smaller_rounds_until_all_is_there() -> None:
    clock = Clock()
    busy = Busy(clock, room=1, refusing=3)
    texts = [f"Title: T\nText: {n}" for n in range(20)]
    paced = PacedSummarizer(busy, Pace(in_flight=4), monotonic=clock, sleep=clock.sleep)
    answers = paced.summarize_many(texts, 600.0)
    assert [answer.text for answer in answers if isinstance(answer, Summary)] == [str(n) for n in range(20)]
    assert busy.rounds[:4] == [20, 2, 1, 1]
    assert clock.now == 2 * 2.0 + len(busy.rounds)


def test_at_the_deadline_what_is_left_is_unavailable_and_what_came_is_kept() -> None:
    clock = Clock()
    paced = PacedSummarizer(
        Busy(clock, room=2, refusing=1000), Pace(in_flight=2), monotonic=clock, sleep=clock.sleep
    )
    answers = paced.summarize_many(["a b", "c d", "e f", "g h", "i j"], 4.0)
    assert [type(answer) for answer in answers[:2]] == [Summary, Summary]
    assert isinstance(answers[-1], SummaryUnavailable)
    assert clock.now <= 4.0 + 1.0


def test_poison_is_not_asked_again() -> None:
    class Refusing:
        def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
            del deadline_s
            return [SummaryRejected(reason="no") for _ in texts]

    assert PacedSummarizer(Refusing(), Pace(in_flight=1)).summarize_many(["a"], 1.0) == [
        SummaryRejected(reason="no")
    ]


@pytest.mark.parametrize("texts", [0, 1, 100])
def test_without_limits_in_reach_the_answers_are_the_other_summarizers(texts: int) -> None:
    asked = [f"Title: T\nText: word {n}" for n in range(texts)]
    paced = PacedSummarizer(InstantSummarizer(), Pace(in_flight=2))
    assert paced.summarize_many(asked, 1.0) == InstantSummarizer().summarize_many(asked, 1.0)
