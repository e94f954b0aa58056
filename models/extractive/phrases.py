"""Cut a text into phrases: whole clauses, items of lists and short sentences, of about 3 to 14 words each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.extractive.phrase import Phrase
from models.extractive.units import CLAUSE, ITEM, NONE, SENTENCE, STARTER, WORD, Unit, units
from models.extractive.words import CLAUSE_ENDS, CLOSERS, COORDINATORS, DASHES, OPENERS

LEAST, USUAL, MOST = 3, 8, 14
"""Words of a phrase: shorter ones are joined to a neighbour, longer sentences are cut, near the usual length."""
MOST_OF_LABEL = 6
"""Words of a heading that ends with a colon."""
_WORTH = {SENTENCE: 9.0, CLAUSE: 7.0, ITEM: 6.0, STARTER: 3.5, WORD: 0.0, NONE: -4.0}
_PAIRS = {")": "(", "]": "[", "）": "（", "】": "【", "”": "“", "’": "‘", "»": "«", "」": "「", "』": "『"}

Run = Sequence[Unit]


def phrases(text: str) -> list[Phrase]:
    """Return the phrases of a text in order: disjoint spans of whole words, without bullets and bare headings.

    Each begins and ends with something that is read: separators, and a conjunction at either end, lie outside of it.
    In scripts without spaces a character counts as half a word. Linear in the text's length.
    """
    found = (_trimmed(text, run) for run in _joined(_cut_runs(_sentences(units(text)))))
    return [phrase for phrase in found if phrase is not None]


def _sentences(found: list[Unit]) -> Iterator[list[Unit]]:
    """Yield runs that end at a sentence's end; a bullet stands in no run, a heading ends its own."""
    run: list[Unit] = []
    for unit in found:
        if not unit.bullet:
            run.append(unit)
        ends = unit.cut == SENTENCE or unit.bullet or (unit.label and _weight(run) <= MOST_OF_LABEL)
        if run and ends:
            yield run
            run = []
    if run:
        yield run


def _cut_runs(runs: Iterator[list[Unit]]) -> Iterator[list[Unit]]:
    for run in runs:
        yield from _pieces(run)


def _pieces(run: list[Unit]) -> Iterator[list[Unit]]:
    """Yield a sentence in pieces of at most MOST words, cut where clauses end as far as it has any."""
    start, left = 0, _weight(run)
    while left > MOST:
        end = _best_end(run, start, left)
        if end is None:
            break
        yield run[start:end]
        left -= _weight(run[start:end])
        start = end
    yield run[start:]


def _best_end(run: list[Unit], start: int, left: float) -> int | None:
    """Return where the first piece of `run[start:]` ends best, None if it cannot be cut."""
    best, best_worth, weight = None, float("-inf"), 0.0
    for at in range(start, len(run) - 1):
        weight += run[at].weight
        if weight > MOST and best is not None:
            break
        if weight < LEAST or left - weight < LEAST:
            continue
        worth = _WORTH[run[at].cut] - abs(weight - USUAL) / 2
        if worth > best_worth:
            best, best_worth = at + 1, worth
    return best


def _joined(runs: Iterator[list[Unit]]) -> Iterator[list[Unit]]:
    """Yield runs of at least LEAST words where neighbours allow it; a heading goes to a short run after it, or away."""
    held: list[Unit] = []
    last: list[Unit] = []
    for run in runs:
        joined = [*held, *run] if held and _goes_with(held, run) else run
        if held and joined is run and not _is_label(held):
            if last and _weight(last) + _weight(held) <= MOST and last[-1].end <= held[0].start:
                last = [*last, *held]
            else:
                if last:
                    yield last
                last = held
        held = []
        if _is_label(joined) or _weight(joined) < LEAST:
            held = joined
            continue
        if last:
            yield last
        last = joined
    yield from _ended(last, held)


def _ended(last: list[Unit], held: list[Unit]) -> Iterator[list[Unit]]:
    """Yield the last runs of a text, of which `held` may be too short to stand alone."""
    if not held or _is_label(held):
        held = []
    elif last and _weight(last) + _weight(held) <= MOST:
        last, held = [*last, *held], []
    yield from (run for run in (last, held) if run)


def _goes_with(held: Run, run: Run) -> bool:
    """Whether a short run is joined to the one after it; a heading is not, where bullets follow it."""
    bulleted = run[0].start - held[-1].end > 1
    return _weight(held) + _weight(run) <= MOST and not (_is_label(held) and bulleted)


def _is_label(run: Run) -> bool:
    return run[-1].label and _weight(run) <= MOST_OF_LABEL


def _weight(run: Run) -> float:
    return sum(unit.weight for unit in run)


def _trimmed(text: str, run: Run) -> Phrase | None:
    """Return a run's span without separators and conjunctions at its ends; None if nothing to read is left."""
    first, last = 0, len(run)
    while first < last and _joins(run[first]):
        first += 1
    while first < last and _joins(run[last - 1]):
        last -= 1
    if first == last:
        return None
    start, end = run[first].start, run[last - 1].end
    start, end = _without_separators(text, start, end)
    return Phrase(start, end) if any(char.isalnum() for char in text[start:end]) else None


def _joins(unit: Unit) -> bool:
    return unit.word.strip(CLAUSE_ENDS).lower() in COORDINATORS or not any(map(str.isalnum, unit.word))


def _without_separators(text: str, start: int, end: int) -> tuple[int, int]:
    """Move both ends past commas, full stops, and brackets or quotes whose other half is outside."""
    while start < end and (
        text[start] in f"{CLAUSE_ENDS}{DASHES}" or _is_half(text, start, end, text[start], OPENERS)
    ):
        start += 1
    while start < end:
        char = text[end - 1]
        if char not in f".。{CLAUSE_ENDS}" and not _is_half(text, start, end, char, CLOSERS):
            break
        end -= 1
    return start, end


def _is_half(text: str, start: int, end: int, char: str, side: str) -> bool:
    """Whether `char` opens (or closes) what is not closed (or opened) between `start` and `end`."""
    if char not in side:
        return False
    other = _PAIRS.get(char) or next((close for close, opened in _PAIRS.items() if opened == char), char)
    inside = text[start:end]
    if other == char:
        return inside.count(char) % 2 == 1
    return inside.count(char) > inside.count(other)
