"""Whether a posting's text offers what a search must not have: "weekends" in "weekend work", not in "no weekends"."""

import re
from functools import lru_cache

from pipeline.terms import STOP_WORDS, stem
from schemas.characters import fold

_CLAUSE = re.compile(r"[.;:!?\n\u2022|()\[\]]+|,\s|\s[-\u2013\u2014]\s|\bbut\b|\baber\b|\bmais\b")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?[+#]*")
_NEGATORS = frozenset(
    [
        "no",
        "not",
        "never",
        "without",
        "non",
        "neither",
        "nor",
        "none",
        "cannot",
        "don't",
        "doesn't",
        "isn't",
        "aren't",
        "won't",
        "free",
        "kein",
        "keine",
        "keinen",
        "keiner",
        "keinem",
        "nicht",
        "ohne",
        "pas",
        "sans",
        "aucun",
        "aucune",
        "sin",
        "ningun",
        "geen",
        "niet",
        "zonder",
        "senza",
        "bez",
    ]
)
_UNDOES_BEHIND = frozenset(["off", "free", "frei", "closed", "not", "none", "never", "optional"])
#: Words that say little: a phrase is looked for without them if others are left.
_WEAK = frozenset(
    stem(word)
    for word in [
        "work",
        "working",
        "shift",
        "shifts",
        "hours",
        "job",
        "jobs",
        "role",
        "roles",
        "required",
        "involved",
        "duty",
        "duties",
        "day",
        "days",
        "staff",
        "position",
        "environment",
        "please",
        "arbeit",
        "dienst",
        "travail",
        "trabajo",
    ]
)
#: Other words for the same.
_ALSO = {
    "weekend": ("saturday", "sunday"),
    "wochenend": ("samstag", "sonntag"),
    "night": ("overnight", "nightshift"),
}
#: Words from a negator to what it negates, and words of a phrase that may stand between its own.
_REACH, _GAP = 5, 2


@lru_cache(maxsize=65_536)
def offers(text: str, phrase: str) -> bool:
    """Whether one clause of `text` has the words of `phrase` in their order, and does not deny them."""
    wanted = _wanted(phrase)
    return bool(wanted) and any(_asserts(clause, wanted) for clause in _clauses(text))


def offered(text: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the phrases that a text offers."""
    return tuple(phrase for phrase in phrases if offers(text, phrase))


@lru_cache(maxsize=4_096)
def _clauses(text: str) -> tuple[tuple[str, ...], ...]:
    parts = _CLAUSE.split(fold(text).replace("\u2019", "'"))
    return tuple(clause for part in parts if (clause := _words(part)))


@lru_cache(maxsize=16_384)
def _wanted(phrase: str) -> tuple[str, ...]:
    words = [word for word in _words(fold(phrase)) if word not in STOP_WORDS and word not in _NEGATORS]
    return tuple([word for word in words if word not in _WEAK] or words)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word if word in _NEGATORS else stem(word) for word in _WORD.findall(text))


def _asserts(clause: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(
        not _denied(clause, start, end)
        for start, word in enumerate(clause)
        if _same(word, wanted[0]) and (end := _end(clause, start, wanted))
    )


def _end(clause: tuple[str, ...], start: int, wanted: tuple[str, ...]) -> int:
    """The position behind the phrase that begins at `start`; 0 where its other words do not follow."""
    at = start + 1
    for word in wanted[1:]:
        near = range(at, min(at + _GAP + 1, len(clause)))
        found = next((place for place in near if _same(clause[place], word)), None)
        if found is None:
            return 0
        at = found + 1
    return at


def _denied(clause: tuple[str, ...], start: int, end: int) -> bool:
    before, behind = clause[max(0, start - _REACH) : start], clause[end : end + 2]
    return not _NEGATORS.isdisjoint(before) or not _UNDOES_BEHIND.isdisjoint(behind)


def _same(word: str, wanted: str) -> bool:
    return word == wanted or word in _ALSO.get(wanted, ())
