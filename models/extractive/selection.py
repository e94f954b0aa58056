"""Choose phrases by their logits until a budget of tokens is filled, and write them as a summary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.extractive.phrase import Phrase

SEPARATOR = "; "
SEPARATOR_TOKENS = 1
NEAR_DUPLICATE = 0.75
"""A phrase is left out once so much of its words, or of a chosen phrase's, stands in the other."""
RUN = 5
"""A phrase is left out if so many words one after another stand in a chosen one too."""
FULL = 0.9
"""A budget that is filled so far is full."""
OVER = 1.2
"""How much more than the budget the last phrase may make, where that is nearer to the budget than leaving it out."""
LEAST_TOKENS = 12
"""What a summary may have of any text, however short: about one phrase."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a summary may be, in tokens: about `wanted`, never more than `most`.

    `threshold`: phrases of a lower logit are left out even if there is room, but for the first.
    """

    wanted: int
    most: int
    threshold: float = float("-inf")


def budget(tokens: int, share: float, most: int | None = None, threshold: float | None = None) -> Budget:
    """Return the budget for a text of so many tokens; `most` is what the caller allows, None for any length."""
    return Budget(
        wanted=max(LEAST_TOKENS, round(share * tokens)),
        most=most if most is not None else max(tokens, LEAST_TOKENS),
        threshold=float("-inf") if threshold is None else threshold,
    )


class _Words:
    """The words of a phrase: which there are, and which follow one another."""

    __slots__ = ("different", "runs")

    def __init__(self, phrase: str) -> None:
        words = _WORD.findall(phrase.casefold())
        self.different = frozenset(words)
        self.runs = frozenset(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))

    def repeats(self, other: _Words) -> bool:
        """Whether one of the two says most of what the other says, or a part of it word for word."""
        alike = len(self.different & other.different)
        least = min(len(self.different), len(other.different))
        return alike >= NEAR_DUPLICATE * least or not self.runs.isdisjoint(other.runs)


def words_of(text: str) -> frozenset[str]:
    """Return the different words of a text, case folded; in scripts without spaces, its characters."""
    return frozenset(_WORD.findall(text.casefold()))


def select(
    text: str, phrases: Sequence[Phrase], counts: Sequence[int], logits: Sequence[float], budget: Budget
) -> list[int]:
    """Return the numbers of the chosen phrases, ascending.

    Phrases are taken by logit, of equals the earlier one. One that does not fit is passed over for a shorter one; one
    that says what a chosen one says is left out. Empty only if there is no phrase of at most `budget.most` tokens.
    """
    room = min(budget.wanted, budget.most)
    order = sorted(range(len(phrases)), key=lambda at: (-logits[at], at))
    words = [_Words(phrase.of(text)) for phrase in phrases]
    chosen: list[int] = []
    used = 0
    for at in order:
        if used >= FULL * room or (chosen and logits[at] < budget.threshold):
            break
        cost = counts[at] + (SEPARATOR_TOKENS if chosen else 0)
        if used + cost <= room and not any(words[at].repeats(words[one]) for one in chosen):
            chosen.append(at)
            used += cost
    if used < FULL * room:
        chosen += _last(order, chosen, used, counts, words, logits, budget)
    return sorted(chosen)


def _last(
    order: Sequence[int],
    chosen: Sequence[int],
    used: int,
    counts: Sequence[int],
    words: Sequence[_Words],
    logits: Sequence[float],
    budget: Budget,
) -> list[int]:
    """Return the phrase of the highest logit that brings the length nearer to the budget, though beyond it."""
    room = min(budget.wanted, budget.most)
    most = min(budget.most, int(OVER * room)) if chosen else budget.most
    rest = [
        at
        for at in order
        if at not in chosen
        and used + counts[at] + (SEPARATOR_TOKENS if chosen else 0) <= most
        and (not chosen or logits[at] >= budget.threshold)
        and not any(words[at].repeats(words[one]) for one in chosen)
    ]
    if not chosen:
        near = [at for at in rest if counts[at] <= OVER * room]
        return near[:1] or sorted(rest, key=lambda at: counts[at])[:1]
    return [at for at in rest if used + counts[at] + SEPARATOR_TOKENS - room < room - used][:1]


def joined(text: str, phrases: Sequence[Phrase], chosen: Sequence[int]) -> str:
    """Return the chosen phrases, verbatim, in their order."""
    return SEPARATOR.join(phrases[at].of(text) for at in chosen)
