"""Tell a slow summarizer from a dead one by the texts that its server says to have summarized."""

import time
from collections.abc import Callable

from nearline.demo.summarizer_metrics import counted
from nearline.demo.text_rate import ENOUGH_TEXTS, TextRate, texts_left
from streaming.tools.observer import Seen

LOOK_EVERY_S = 2.0
SAY_EVERY_S = 60.0
SLOW_S = 30.0
"""An end that is expected later than this makes a summarizer slow."""

#: The texts summarized since the server's start; None when it does not say.
Count = Callable[[], float | None]


class SummarizerWork:
    """Follows the counter of summarized texts; without a URL there is no model, and nothing to follow."""

    def __init__(
        self, url: str | None, *, count: Count | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`count` is asked in the place of `url`'s metrics, if it is given."""
        self._url, self._clock = url, clock
        self._count = count or (lambda: counted(url) if url else None)
        self._counted: float | None = None
        self._summarized = 0
        self._rate = TextRate()
        self._next_look = self._next_say = self._grew_at = -float("inf")
        self._answers = True

    @property
    def summarized(self) -> int | None:
        """The texts summarized since the first look; None if the server has never said a number."""
        return None if self._counted is None else self._summarized

    def moved(self) -> bool:
        """Whether texts were summarized since the last look; looks every LOOK_EVERY_S at most."""
        now = self._clock()
        if self._url is None or now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY_S
        count = self._count()
        self._answers = count is not None
        return count is not None and self._grew(count, now)

    def _grew(self, count: float, now: float) -> bool:
        last = count if self._counted is None else self._counted
        new = int(count - last if count >= last else count)  # another process counts from 0
        self._counted = count
        self._summarized += new
        if new:
            self._grew_at = now
            self._rate.grew(now, self._summarized)
        return new > 0

    def slowness(self, seen: Seen, total: int) -> str:
        """One line with the rate and the expected end, when a text has just come.

        Empty if the summarizer is not slow, if it is too early to tell, or if the line was said a moment ago.
        """
        rate, now = self._rate.texts_per_s(), self._clock()
        texts = texts_left(seen, total, self._summarized)
        just_now = now - self._grew_at <= LOOK_EVERY_S
        if not rate or not just_now or texts / rate < SLOW_S or now < self._next_say:
            return ""
        self._next_say = now + SAY_EVERY_S
        about, within = ("about", "in") if len(seen.outcomes) >= ENOUGH_TEXTS else ("at most", "within")
        return (
            f"the summarizer is slow, not dead: {_figure(rate)} texts a second, {about} {texts:.0f} to go; "
            f"the end is expected {within} {_span(texts / rate)}"
        )

    def death(self) -> str:
        """What a stall's error says about the summarizer, with what comes after it separated; "" without a model."""
        if self._url is None:
            return ""
        if not self._answers:
            return f"the model server {self._url} does not say how many texts it has summarized; "
        return f"the model server {self._url} has summarized no text meanwhile; "


def _figure(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
