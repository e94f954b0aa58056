"""Bounds how fast one of several tasks may ask a model server: its share, halved when the server refuses."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from typing_extensions import override

from models.summarizer import ModelFailure, Summarizer, Summary, Unavailable

#: A task never asks for less than this part of what it may.
LEAST_SHARE = 1 / 64
#: A round without a refusal gives this part back.
RECOVERY = 1 / 16
#: While nothing is refused, this many calls a slot go out as one round; the client keeps `slots` of them in flight.
CALLS_A_SLOT = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0


class Pace:
    """A part between 1/64 and 1 of what the task may do: `in_flight` calls at once, `rate_per_s` a second (0: any)."""

    def __init__(self, *, in_flight: int, rate_per_s: float = 0.0) -> None:
        self._in_flight, self._rate_per_s = in_flight, rate_per_s
        self.share = 1.0
        self._next_at = 0.0

    def calls(self) -> int:
        """How many texts the next round may hold."""
        if self.share == 1.0:
            return CALLS_A_SLOT * self._in_flight
        return max(1, int(self._in_flight * self.share))

    def pause_s(self, calls: int, now: float) -> float:
        """Seconds to wait before so many calls, at the rate of now; they are then taken as made."""
        if not self._rate_per_s:
            return 0.0
        start = max(now, self._next_at)
        self._next_at = start + calls / (self._rate_per_s * self.share)
        return start - now

    def refused(self) -> None:
        """The server has too much to do, or is away: half of it."""
        self.share = max(LEAST_SHARE, self.share / 2)

    def went_well(self) -> None:
        """A whole round was answered: a little more."""
        self.share = min(1.0, self.share + RECOVERY)


class PacedSummarizer(Summarizer):
    """A summarizer that asks another at a pace; what is refused is asked again until the deadline."""

    def __init__(
        self,
        summarizer: Summarizer,
        pace: Pace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._summarizer, self._pace = summarizer, pace
        self._monotonic, self._sleep = monotonic, sleep

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | ModelFailure]:
        deadline = self._monotonic() + deadline_s
        answers: dict[int, Summary | ModelFailure] = {}
        waiting, refusals = deque(range(len(texts))), 0
        while waiting and self._wait(min(self._pace.calls(), len(waiting)), deadline):
            asked = [waiting.popleft() for _ in range(min(self._pace.calls(), len(waiting)))]
            found = self._summarizer.summarize_many([texts[i] for i in asked], deadline - self._monotonic())
            answers.update(zip(asked, found, strict=True))
            refused = [i for i in asked if isinstance(answers[i], Unavailable)]
            waiting.extendleft(reversed(refused))
            refusals = refusals + 1 if refused else 0
            if not refused:
                self._pace.went_well()
            elif not self._back_off([answers[i] for i in refused], refusals, deadline):
                break
        late = Unavailable(reason="no room for this text within the batch's deadline, at the pace allowed")
        return [answers.get(i, late) for i in range(len(texts))]

    def _wait(self, calls: int, deadline: float) -> bool:
        """Wait for the rate; False when that ends after the deadline."""
        now = self._monotonic()
        pause_s = self._pace.pause_s(calls, now)
        return now + pause_s < deadline and self._slept(pause_s)

    def _back_off(self, refused: Sequence[object], refusals: int, deadline: float) -> bool:
        self._pace.refused()
        asked_s = max(answer.retry_after_s for answer in refused if isinstance(answer, Unavailable))
        pause_s = max(asked_s, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(refusals, 8)))
        return self._monotonic() + pause_s < deadline and self._slept(pause_s)

    def _slept(self, pause_s: float) -> bool:
        if pause_s > 0:
            self._sleep(pause_s)
        return True
