"""The words of a drawn query: a wording of the occupation, phrases of the facets, a place, and what must not be."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from training.judging.postings import PostingRow
from training.judging.records import MAX_GRADE
from training.rules.lexicon.entries import RuleLexicon, RuleOccupation, held_out
from training.rules.teacher import Needs, kind_grade

NEGATIONS = ("no {f}", "no {f}", "not {f}", "without {f}", "but no {f}", "{f} not wanted")
_NEGATES = frozenset({"no", "not", "without", "never", "non", "neither", "nor", "cannot", "don't", "isn't"})
_ALONE = (
    "{o}",
    "{o}",
    "{o}",
    "{o} jobs",
    "{o} vacancies",
    "looking for {o} work",
    "any openings for a {o}?",
    "{o} role",
)
_WITH = (
    "{o} {f}",
    "{o} {f}",
    "{o}, {c}",
    "{f} {o}",
    "{c}, {o}",
    "looking for {o}: {c}",
    "{o} - {c}",
    "{o} job, {c}",
    "{c} / {o}",
    "I want to work as a {o}, {c}",
    "{o} ({c})",
)


def negates(text: str) -> bool:
    """Whether a text holds a word of negation."""
    return not _NEGATES.isdisjoint(text.lower().replace("’", "'").split())


def negatable(phrases: Sequence[str], *, unseen: bool) -> list[str]:
    """The phrases, held out or not, that may stand in NEGATIONS."""
    return [phrase for phrase in _allowed(phrases, unseen=unseen) if not negates(phrase)]


def occupation_wording(rng: Random, occupation: RuleOccupation, source: PostingRow, *, unseen: bool) -> str:
    """A wording of the posting's occupation, of the posting's kind of it, and not in its title if others are left."""
    title = source.item.title.lower()
    wordings = _allowed(occupation.wordings, unseen=unseen)
    wordings = [w for w in wordings if kind_grade(occupation, w, source) == MAX_GRADE] or wordings
    return _plain(rng, [w for w in wordings if w.lower() not in title] or wordings)


def worded(words: RuleLexicon, rng: Random, needs: Needs, *, unseen: bool) -> str:
    """The query's text."""
    phrases = [_plain(rng, _allowed(words.facets[key].phrases, unseen=unseen)) for key in needs.facets]
    if needs.without:
        phrase = _plain(rng, negatable(words.facets[needs.without].phrases, unseen=unseen))
        phrases.append(rng.choice(NEGATIONS).format(f=phrase))
    rng.shuffle(phrases)
    if needs.place:
        phrases.append(f"{rng.choice(('in', 'near', 'around'))} {needs.place.title()}")
    shape = rng.choice(_WITH if phrases else _ALONE)
    text = shape.format(o=needs.wording, f=" ".join(phrases), c=", ".join(phrases))
    return text.lower() if rng.random() < 0.5 else text


def _plain(rng: Random, wordings: Sequence[str]) -> str:
    """Draw one wording; the lexicon lists the plainest first, which are drawn most often."""
    return rng.choices(wordings, [1 / (2 + place) for place in range(len(wordings))])[0]


def _allowed(wordings: Sequence[str], *, unseen: bool) -> list[str]:
    kept = held_out(wordings)
    return [wording for wording in wordings if (wording in kept) == unseen]
