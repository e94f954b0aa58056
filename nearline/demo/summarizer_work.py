"""Tell a slow summarizer from a dead one by the texts that its server says to have summarized."""

import time
from collections import deque
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from nearline.stack.component import HTTP
from streaming.tools.observer import Seen

LOOK_EVERY_S = 2.0
RATE_OVER_S = 60.0
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
        self._seen: deque[tuple[float, float]] = deque()
        self._next_look = self._next_say = -float("inf")
        self._answers = True

    def moved(self) -> bool:
        """Whether texts were summarized since the last look; looks every LOOK_EVERY_S at most."""
        now = self._clock()
        if self._url is None or now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY_S
        count = self._count()
        self._answers = count is not None
        if count is None:
            return False
        last = self._seen[-1][1] if self._seen else count
        if count < last:  # another process counts from 0
            self._seen.clear()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        return count > last

    def texts_per_s(self) -> float:
        """Texts summarized per second of the last RATE_OVER_S; 0 when none was."""
        if len(self._seen) < 2:
            return 0.0
        (begun, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - begun)

    def slowness(self, seen: Seen, total: int) -> str:
        """One line with the summarizer's rate and the expected end; "" if it is not slow, or that was said just now."""
        done, rate, now = len(seen.outcomes), self.texts_per_s(), self._clock()
        texts = (total - done) * (seen.summarizer_calls / done if done else 1.0)
        if not rate or texts / rate < SLOW_S or now < self._next_say:
            return ""
        self._next_say = now + SAY_EVERY_S
        return (
            f"the summarizer is slow, not dead: {rate:.1f} texts a second, about {texts:.0f} to go; "
            f"the end is expected in {_span(texts / rate)}"
        )

    def death(self) -> str:
        """What a stall's error says about the summarizer, with what comes after it separated; "" without a model."""
        if self._url is None:
            return ""
        if not self._answers:
            return f"the model server {self._url} does not say how many texts it has summarized; "
        return f"the model server {self._url} has summarized no text meanwhile; "


def counted(url: str) -> float | None:
    """The texts that the model server at `url` has summarized; None when it does not say."""
    try:
        page = HTTP.get(f"{url}/metrics", timeout=2.0)
        page.raise_for_status()
        return read_count(page.text)
    except (httpx.HTTPError, ValueError):
        return None


def read_count(page: str) -> float | None:
    """The prompts continued, from a page of our server's metrics: 0 before the first, None on a page of another's."""
    families = {family.name: family for family in text_string_to_metric_families(page)}
    if (family := families.get("nearline_model_items")) is None:
        return None
    samples = (s for s in family.samples if s.name.endswith("_total"))
    return sum((s.value for s in samples if s.labels.get("route") == "/v1/completions"), 0.0)


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
