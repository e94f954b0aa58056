"""How fast one task may call a model server that it shares with others: its part of the limit, halved when refused."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from typing_extensions import override

from models.summarizer import Summarizer, Summary, SummaryFailure, SummaryUnavailable
from schemas.backoff import Backoff

#: The smallest share of its limits that a task goes down to.
LEAST_SHARE = 1 / 64
#: What a round without a refusal adds to the share.
RECOVERY = 1 / 16
#: Texts of one round for each call that may be in flight, while nothing is refused; the client keeps so many in flight.
CALLS_A_SLOT = 8
PAUSES = Backoff(first_s=0.5, longest_s=5.0)


class Pace:
    """The share (1/64 to 1) that a task uses of its limits: `in_flight` calls, `rate_per_s` a second (0: any)."""

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
        """Seconds to wait before so many calls at the present rate; counts the calls as made."""
        if not self._rate_per_s:
            return 0.0
        start = max(now, self._next_at)
        self._next_at = start + calls / (self._rate_per_s * self.share)
        return start - now

    def refused(self) -> None:
        """Halve the share: the server is overloaded or away."""
        self.share = max(LEAST_SHARE, self.share / 2)

    def went_well(self) -> None:
        """Raise the share a little: a whole round was answered."""
        self.share = min(1.0, self.share + RECOVERY)


class PacedSummarizer(Summarizer):
    """A summarizer that calls another one at a pace; refused texts are sent again until the deadline."""

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
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Ask in rounds of `Pace.calls()` texts; a text not answered by the deadline is SummaryUnavailable."""
        deadline = self._monotonic() + deadline_s
        answers: dict[int, Summary | SummaryFailure] = {}
        waiting, refusals = deque(range(len(texts))), 0
        while waiting and self._wait(min(self._pace.calls(), len(waiting)), deadline):
            asked = [waiting.popleft() for _ in range(min(self._pace.calls(), len(waiting)))]
            found = self._summarizer.summarize_many([texts[i] for i in asked], deadline - self._monotonic())
            answers.update(zip(asked, found, strict=True))
            refused = [i for i in asked if isinstance(answers[i], SummaryUnavailable)]
            waiting.extendleft(reversed(refused))
            refusals = refusals + 1 if refused else 0
            if not refused:
                self._pace.went_well()
            elif not self._back_off([answers[i] for i in refused], refusals, deadline):
                break
        late = SummaryUnavailable(
            reason="no room for this text within the batch's deadline, at the pace allowed"
        )
        return [answers.get(i, late) for i in range(len(texts))]

    def _wait(self, calls: int, deadline: float) -> bool:
        """Wait until the rate allows so many calls; returns False, without waiting, if that is after the deadline."""
        now = self._monotonic()
        pause_s = self._pace.pause_s(calls, now)
        return now + pause_s < deadline and self._slept(pause_s)

    def _back_off(self, refused: Sequence[object], refusals: int, deadline: float) -> bool:
        """Slow down and pause after a refusal; returns False, without pausing, if the pause ends after the deadline."""
        self._pace.refused()
        asked_s = max(answer.retry_after_s for answer in refused if isinstance(answer, SummaryUnavailable))
        pause_s = max(asked_s, PAUSES.wait_s(refusals))
        return self._monotonic() + pause_s < deadline and self._slept(pause_s)

    def _slept(self, pause_s: float) -> bool:
        if pause_s > 0:
            self._sleep(pause_s)
        return True
