"""What is wrong with an extractive summary, decided by its words and its text alone."""

from __future__ import annotations

from collections.abc import Sequence

from models.extractive.kept import is_whole, kept
from models.extractive.selection import RUN, SEPARATOR, words_of

FAULTS = ("empty", "not_verbatim", "broken_word", "repeated", "too_long")


def faults(text: str, summary: str, tokens: int, most: int) -> frozenset[str]:
    """Return the FAULTS of a summary of `tokens` tokens that may have `most`; `text` as the summarizer read it."""
    if not summary:
        return frozenset({"empty"} if any(map(str.isalnum, text)) else ())
    found, parts = kept(text, summary), summary.split(SEPARATOR)
    wrong = {
        "not_verbatim": found is None,
        "broken_word": found is not None and not all(is_whole(text, phrase) for phrase in found),
        "repeated": len({words_of(part) for part in parts}) < len(parts) or _repeats_run(summary, text),
        "too_long": tokens > most,
    }
    return frozenset(name for name, is_so in wrong.items() if is_so)


def _repeats_run(summary: str, text: str) -> bool:
    words = summary.casefold().replace(SEPARATOR.strip(), " ; ").split()
    runs = _runs(words)
    doubled = {run for run in runs if runs.count(run) > 1}
    if not doubled:
        return False
    of_text = _runs(text.casefold().split())
    return any(runs.count(run) > of_text.count(run) for run in doubled)


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
