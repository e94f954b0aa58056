"""The limit of texts in flight follows answers, refusals and missed deadlines, and nothing else."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from models.client.limiter import PATIENCE, Sent, TextLimiter
from schemas.backoff import Backoff

MOST = 16
PAUSES = Backoff(first_s=0.5, longest_s=4.0)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(most: int = MOST) -> tuple[TextLimiter, Time]:
    time = Time()
    return TextLimiter(most, PAUSES, time), time


def sent(limiter: TextLimiter, count: int) -> list[Sent]:
    return [limiter.send() for _ in range(count)]


def answered(limiter: TextLimiter, time: Time, took_s: float) -> None:
    text = limiter.send()
    time.now += took_s
    limiter.answered(text)


def shrunk(limiter: TextLimiter, time: Time, times: int) -> None:
    for _ in range(times):
        time.now += 1
        limiter.late(limiter.send())


def test_a_round_of_refusals_halves_once() -> None:
    limiter, time = made()
    round_ = sent(limiter, MOST)
    time.now += 1
    for text in round_:
        limiter.refused(text, 0.0)
    assert (limiter.limit, limiter.in_flight, limiter.load().decreases) == (MOST // 2, 0, 1)


def test_late_texts_halve_to_one_and_no_further() -> None:
    limiter, time = made()
    shrunk(limiter, time, 9)
    assert limiter.limit == 1


def test_a_full_round_of_answers_adds_one() -> None:
    limiter, time = made()
    shrunk(limiter, time, 2)
    assert limiter.limit == 4
    for _ in range(5):
        time.now += 1
        for text in sent(limiter, limiter.limit):
            limiter.answered(text)
    assert 8 <= limiter.limit <= 9


def test_answers_below_the_limit_prove_nothing() -> None:
    limiter, time = made()
    shrunk(limiter, time, 1)
    for _ in range(50):
        answered(limiter, time, 0.1)
    assert limiter.limit == MOST // 2


def test_after_a_refusal_nothing_is_sent_until_the_time_asked_for() -> None:
    limiter, time = made()
    limiter.refused(limiter.send(), 3.0)
    time.now += 2.9
    assert not limiter.has_room()
    time.now += 0.2
    assert limiter.has_room()


def test_a_server_that_asks_for_a_long_pause_is_asked_after_the_longest_of_ours() -> None:
    limiter, time = made()
    limiter.refused(limiter.send(), 600.0)
    assert limiter.resumes_at - time.now == PAUSES.longest_s


def test_an_answer_ends_the_pause() -> None:
    limiter, time = made()
    first, second = sent(limiter, 2)
    time.now += 1
    limiter.refused(first, 60.0)
    limiter.answered(second)
    assert limiter.has_room()
    assert limiter.refusals == 0


def test_refusals_in_a_row_without_a_time_pause_longer_and_longer() -> None:
    limiter, time = made()
    pauses = []
    for _ in range(5):
        time.now += 1
        limiter.refused(limiter.send(), 0.0)
        pauses.append(limiter.resumes_at - time.now)
        time.now = limiter.resumes_at
    assert [round(pause, 6) for pause in pauses] == [0.5, 1.0, 2.0, 4.0, 4.0]


def test_a_text_whose_answer_would_come_after_the_deadline_is_too_late() -> None:
    limiter, time = made()
    assert not limiter.too_late(time.now)  # nothing is known yet
    answered(limiter, time, 10.0)
    assert not limiter.too_late(time.now + 9)  # none in flight: a probe
    limiter.send()
    assert limiter.too_late(time.now + 9)
    assert not limiter.too_late(time.now + 11)


def test_refusals_say_nothing_about_the_time_that_answers_take() -> None:
    limiter, time = made()
    answered(limiter, time, 10.0)
    for _ in range(20):
        time.now += 1
        limiter.refused(limiter.send(), 0.1)
    limiter.send()
    assert limiter.too_late(time.now + 9)


def test_a_text_is_at_fault_when_later_ones_are_answered_and_it_takes_far_longer() -> None:
    limiter, time = made()
    hanging = limiter.send()
    assert limiter.is_last(hanging)
    time.now += 1
    answered(limiter, time, 2.0)
    assert not limiter.overtaken(hanging)
    time.now = hanging.at + PATIENCE * 2.0 + 0.1
    assert limiter.overtaken(hanging)


def test_a_slow_server_puts_no_text_at_fault() -> None:
    limiter, time = made()
    first, second = sent(limiter, 2)
    time.now += 500
    limiter.answered(first)
    assert not limiter.overtaken(second)


def test_probes_find_the_text_at_fault_when_answers_were_slow_and_nothing_else_is_left() -> None:
    """An attempt ends after a minute, which three times the slowest answer outlasts."""
    limiter, time = made()
    answered(limiter, time, 25.0)
    hanging = limiter.send()
    for _ in range(5):
        assert time.now - hanging.at < 40, "every attempt would end like this one"
        time.now += 10
        limiter.probed(time.now - 1)
        if limiter.overtaken(hanging):
            return
    raise AssertionError("the text is never found")


STEPS: list[Callable[[TextLimiter, Sent], None]] = [
    lambda limiter, text: limiter.answered(text),
    lambda limiter, text: limiter.refused(text, 0.0),
    lambda limiter, text: limiter.refused(text, 2.0),
    lambda limiter, text: limiter.late(text),
    lambda limiter, text: limiter.failed(text),
]


@given(
    st.integers(1, 32),
    st.lists(st.tuples(st.integers(0, len(STEPS)), st.integers(0, 99), st.floats(0, 20)), max_size=200),
)
def test_the_limit_stays_between_one_and_most_and_room_comes_back(
    most: int, steps: list[tuple[int, int, float]]
) -> None:
    limiter, time = made(most)
    flying: list[Sent] = []
    for kind, which, passes_s in steps:
        time.now += passes_s
        if kind == len(STEPS) or not flying:
            if limiter.has_room():
                flying.append(limiter.send())
        else:
            STEPS[kind](limiter, flying.pop(which % len(flying)))
        assert 1 <= limiter.limit <= most
        assert limiter.in_flight == len(flying)
    for text in flying:
        limiter.failed(text)
    time.now = max(time.now, limiter.resumes_at)
    assert limiter.has_room()
    assert not limiter.too_late(time.now)


@given(st.integers(1, 64), st.integers(0, 40))
def test_a_limit_that_fell_recovers_within_as_many_rounds_as_it_may_grow(most: int, falls: int) -> None:
    limiter, time = made(most)
    shrunk(limiter, time, falls)
    for _ in range(2 * most):
        time.now += 1
        for text in sent(limiter, limiter.limit):
            limiter.answered(text)
    assert limiter.limit == most
