"""What is known of the age of a message by the ends that its partition had."""

import random

import pytest

from streaming.alerting.arrivals import APART_S, READING_S, Arrivals

DAY_S = 86_400.0


@pytest.mark.parametrize("seed", range(5))
def test_the_true_age_lies_within_the_bounds_whatever_the_wall_clock_says(seed: int) -> None:
    rng, arrivals = random.Random(seed), Arrivals(DAY_S)
    came: list[float] = []
    now = 1_000.0
    for _ in range(400):
        now += rng.uniform(0.0, 20.0)
        came += [now] * rng.choice([0, 0, 1, 5])
        if rng.random() < 0.5:
            arrivals.note(now, {3: len(came)})
        if came:
            offset = rng.randrange(len(came))
            early = arrivals.age_s(now, 3, offset, -DAY_S)
            late = arrivals.age_s(now, 3, offset, DAY_S)
            assert early <= now - came[offset] <= late
    newest = arrivals.age_s(now, 3, len(came) - 1, DAY_S)
    assert newest < 10 * APART_S


def test_a_believed_age_that_can_be_is_left_as_it_is() -> None:
    arrivals = Arrivals(DAY_S)
    arrivals.note(0.0, {0: 10})
    arrivals.note(100.0, {0: 20})
    assert arrivals.age_s(150.0, 0, 15, 120.0) == 120.0
    assert arrivals.age_s(150.0, 0, 15, 30_000.0) == 150.0
    assert arrivals.age_s(150.0, 0, 15, -30_000.0) == 50.0 - READING_S


def test_of_what_was_there_before_and_of_other_partitions_the_wall_clock_tells() -> None:
    arrivals = Arrivals(DAY_S)
    arrivals.note(0.0, {0: 10})
    assert arrivals.age_s(50.0, 0, 9, 7_000.0) == 7_000.0
    assert arrivals.age_s(50.0, 1, 9, 7_000.0) == 7_000.0
    assert arrivals.age_s(50.0, 1, 9, -7_000.0) == 0.0


def test_a_topic_that_was_created_anew_begins_anew() -> None:
    arrivals = Arrivals(DAY_S)
    arrivals.note(0.0, {0: 1_000})
    arrivals.note(100.0, {0: 3})
    assert arrivals.age_s(160.0, 0, 4, DAY_S) == 60.0


def test_what_is_kept_is_bounded() -> None:
    arrivals = Arrivals(kept_s=600.0)
    for step in range(5_000):
        arrivals.note(5.0 * step, {0: step})
    assert len(arrivals._partitions[0].ends) <= 2 + 600 / (APART_S - 5.0)
