"""The units of a text that are never cut: words between spaces, and single characters of scripts without spaces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from models.extractive.words import (
    ABBREVIATIONS,
    ARTICLES,
    BULLET,
    CLAUSE_ENDS,
    CLOSERS,
    DASHES,
    NO_CUT_AFTER,
    OPENERS,
    RANGE_WORDS,
    SEMICOLONS,
    SENTENCE_ENDS,
    STARTERS,
    WIDE_ENDS,
)

MARKS = "\u0300-\u036f\u3099\u309a\ufe00-\ufe0f"
WIDE = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA = "\u3041-\u309f"
KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff"
WIDE_PUNCTUATION = "。！？｡、，；：」』）】"
_SPACELESS = f"{WIDE}{HIRAGANA}{KATAKANA}"
_UNIT = re.compile(
    f"[{KATAKANA}]+[{MARKS}{WIDE_PUNCTUATION}]*|[{WIDE}{HIRAGANA}][{MARKS}{WIDE_PUNCTUATION}]*|[^\\s{_SPACELESS}]+"
)
_SPLIT_INSIDE = re.compile(f"[{WIDE_PUNCTUATION}]+")
_HIRAGANA = re.compile(f"[{HIRAGANA}]")
_KANJI = re.compile(f"[{WIDE}{KATAKANA}]")
_NUMBER = re.compile(r"\(?(\d+)[.)]")
_CAPITAL = re.compile(r"[^\W\d_a-zß-ÿ]\w*[^\W\d_A-Z]")

NONE, WORD, STARTER, ITEM, CLAUSE, SENTENCE = range(6)
"""How good a place is to end a phrase: between any two words, before a word that begins a part of a sentence, before a
capital that may begin an item of a list, after a comma, at a sentence's end."""


@dataclass(slots=True)
class Unit:
    """Characters `start` to `end`, `weight` in words, and how good a place for a cut is after it."""

    start: int
    end: int
    weight: float
    word: str
    cut: int = WORD
    bullet: bool = False
    label: bool = False
    """Whether it ends with a colon, as headings do."""


def units(text: str) -> list[Unit]:
    """Return a text's units in order, in time proportional to its length; characters between two units are spaces."""
    found = [_unit(match) for match in _UNIT.finditer(text)]
    _keep_numbers_in_order(found)
    for before, after in pairwise(found):
        before.cut = _cut(text, before, after)
    _mark_items(found)
    if found:
        found[-1].cut = SENTENCE
    return found


def _unit(match: re.Match[str]) -> Unit:
    word = match.group()
    spaceless = _SPACELESS_START.match(word) is not None
    return Unit(
        match.start(),
        match.end(),
        0.5 * len(word.strip(WIDE_PUNCTUATION)) if spaceless else 1.0,
        word,
        bullet=BULLET.fullmatch(word) is not None,
        label=word[-1] in ":：" and len(word) > 1,
    )


_SPACELESS_START = re.compile(f"[{_SPACELESS}]")


def _keep_numbers_in_order(found: list[Unit]) -> None:
    """Take numbers for bullets only where they count a list; `lots of 1 to 1. A team of 26. We …` is none.

    A list begins with a 1 that a 2 follows before the next 1.
    """
    numbers = [
        (at, int(match[1]))
        for at, unit in enumerate(found)
        if unit.bullet and (match := _NUMBER.match(unit.word))
    ]
    begins, has_two = set[int](), False
    for at, number in reversed(numbers):
        if number == 1 and has_two:
            begins.add(at)
        has_two = number == 2 or (has_two and number != 1)
    last = 0
    for at, number in numbers:
        counts = at in begins or (last > 0 and number in (last, last + 1))
        goes_on = at > 0 and found[at - 1].word.lower() in NO_CUT_AFTER
        found[at].bullet = counts and not goes_on
        last = number if found[at].bullet else last


def _cut(text: str, before: Unit, after: Unit) -> int:
    word, following = before.word, after.word
    if after.bullet or before.bullet or word[-1] in SEMICOLONS or "\n" in text[before.end : after.start]:
        return SENTENCE
    if following[0] in DASHES and following[1:2].isalpha():
        return SENTENCE
    bare = word.rstrip(CLOSERS)
    if bare and bare[-1] in SENTENCE_ENDS and _ends_sentence(bare, following):
        return SENTENCE
    if bare and bare[-1] in CLAUSE_ENDS:
        return CLAUSE
    if following[0] in "([（【" or word[-1] in ")]）】":
        return STARTER
    if _SPACELESS_START.match(word) and _SPACELESS_START.match(following):
        return STARTER if _HIRAGANA.match(word[-1]) and _KANJI.match(following) else WORD
    return _cut_between(word.lower(), following.lower())


def _cut_between(lower: str, following: str) -> int:
    """How good a cut is between two words with nothing but a space between them, both in lower case."""
    if lower[-1].isdigit() and following in RANGE_WORDS:
        return NONE
    if following in STARTERS:
        return STARTER if lower not in ARTICLES and lower not in STARTERS else NONE
    # a number belongs to the words on both sides of it: `at least 3 years`
    return NONE if lower in NO_CUT_AFTER or lower[-1].isdigit() or following[0].isdigit() else WORD


def _ends_sentence(bare: str, following: str) -> bool:
    if bare[-1] in WIDE_ENDS:
        return True
    stem = bare.rstrip(SENTENCE_ENDS)
    if bare[-1] == "." and (
        stem.lower().lstrip(OPENERS) in ABBREVIATIONS or (len(stem) < 2 and not stem.isdigit())
    ):
        return False
    first = following.lstrip(OPENERS)[:1]
    return not first.islower()


def _mark_items(found: list[Unit]) -> None:
    """Mark where a capital may begin an item of a list that has lost its bullets: `… of tests Writing the report`."""
    for at in range(1, len(found) - 1):
        before, here, after = found[at - 1], found[at], found[at + 1]
        if before.cut not in (WORD, STARTER) or not here.word[0].isupper() or not after.word[0].islower():
            continue
        if before.word[0].islower() and before.word.lower() not in NO_CUT_AFTER and here.word[1:].islower():
            before.cut = ITEM
