"""A batch is done in rounds, and what one round has done is not done again."""

from collections.abc import Sequence

import pytest

from pipeline.control.rounds import in_rounds
from pipeline.outages import outlast
from schemas.errors import ModelUnavailable, StoreUnavailable


class Worker:
    """Does at most so many rows in each round, the last first; `errors` are raised instead of the first rounds."""

    def __init__(self, most: Sequence[int], errors: Sequence[Exception] = ()) -> None:
        self._most, self._errors = list(most), list(errors)
        self.rounds: list[list[int]] = []

    def __call__(self, left: Sequence[int]) -> tuple[list[int | None], ModelUnavailable | None]:
        self.rounds.append(list(left))
        if self._errors:
            raise self._errors.pop(0)
        done = list(left)[max(0, len(left) - self._most.pop(0)) :]
        outage = ModelUnavailable("slow") if len(done) < len(left) else None
        return [row * 10 if row in done else None for row in left], outage


def run(count: int, worker: Worker) -> tuple[list[int], list[float]]:
    pauses: list[float] = []

    def patient(action: object) -> object:
        return outlast(action, max_backoff_s=60, sleep=pauses.append, spread=lambda: 1.0)  # type: ignore[arg-type]  # any action

    return in_rounds(count, worker, patient), pauses


def test_rows_that_wait_are_asked_for_again_without_those_that_are_done() -> None:
    worker = Worker([2, 1, 2])
    assert run(5, worker) == ([0, 10, 20, 30, 40], [])
    assert worker.rounds == [[0, 1, 2, 3, 4], [0, 1, 2], [0, 1]]


def test_a_round_without_progress_is_an_outage_whose_pauses_begin_anew_after_progress() -> None:
    worker = Worker([0, 0, 1, 0, 1])
    assert run(2, worker) == ([0, 10], [1.0, 2.0, 1.0])


def test_another_outage_is_waited_for_too() -> None:
    worker = Worker([3], [StoreUnavailable("down")])
    assert run(3, worker) == ([0, 10, 20], [1.0])


def test_no_rows_need_no_round() -> None:
    worker = Worker([])
    assert run(0, worker) == ([], [])
    assert not worker.rounds


def test_an_error_that_is_no_outage_ends_the_batch() -> None:
    with pytest.raises(ZeroDivisionError):
        run(3, Worker([3], [ZeroDivisionError()]))
