"""How many texts a second a summarizer has written of late, and how many it still has to write."""

from collections import deque

from streaming.tools.observer import Seen

RATE_OVER_S = 30.0
ENOUGH_S = 15.0
ENOUGH_TEXTS = 5
"""A rate is one of ENOUGH_TEXTS in ENOUGH_S at least; an expectation of ENOUGH_TEXTS outcomes too."""


class TextRate:
    """The texts per second of the last RATE_OVER_S, or of a longer time in which there were enough.

    Both ends are moments at which the number had just grown: the wait for the first text and the wait for the next
    one, whose number nobody knows yet, do not make the rate too low.
    """

    def __init__(self) -> None:
        self._grown: deque[tuple[float, int]] = deque()

    def grew(self, now_s: float, texts: int) -> None:
        """Take in that the number of all texts has just grown to `texts`."""
        self._grown.append((now_s, texts))
        while now_s - self._grown[0][0] > RATE_OVER_S and _enough(self._grown[1], self._grown[-1]):
            self._grown.popleft()

    def texts_per_s(self) -> float | None:
        """The rate; None until there are enough texts over enough seconds."""
        if not self._grown or not _enough(self._grown[0], self._grown[-1]):
            return None
        (begun_s, first), (ended_s, last) = self._grown[0], self._grown[-1]
        return (last - first) / (ended_s - begun_s)


def _enough(first: tuple[float, int], last: tuple[float, int]) -> bool:
    return last[0] - first[0] >= ENOUGH_S and last[1] - first[1] >= ENOUGH_TEXTS


def texts_left(seen: Seen, total: int, summarized: int) -> float:
    """Texts to write until all updates have outcomes, if the others need one as often as those that are settled.

    An update is settled if it has its outcome, or its text, with the outcome still on its way.
    """
    ahead = max(0, summarized - seen.summarizer_calls)
    settled = len(seen.outcomes) + ahead
    share = (seen.summarizer_calls + ahead) / settled if settled else 1.0
    return max(0, total - settled) * min(1.0, share)
