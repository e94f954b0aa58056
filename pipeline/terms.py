"""Content terms of a text in any script: what the lexical matcher compares."""

import re
from functools import lru_cache

from schemas.characters import fold

# Vowel signs and accents are no \w in Python: without them here, a Hindi or Hebrew word would be split at each.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0970-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3"
)
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*[+#]*")
# The same for folded ASCII text, many times as fast.
_ASCII_WORD = re.compile(r"[a-z0-9]+[+#]*")
# Scripts written without spaces: a run of them is compared by its overlapping pairs of characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+"
)

_STOP_TEXT = """
a an and any are as at be by for from i in is job jobs looking me my near of on or position positions posting
postings role roles that the this to vacancies vacancy want wanted we with within work you your
"""
STOP_WORDS = frozenset(_STOP_TEXT.split())


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A light English stem: plurals, -ing and -ed, a last e; other words stay as they are."""
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


@lru_cache(maxsize=4_096)
def terms(text: str) -> frozenset[str]:
    """Stemmed terms of `text`, stop words left out; pairs of characters where a script has no spaces."""
    folded = fold(text)
    if folded.isascii():
        return frozenset([stem(word) for word in _ASCII_WORD.findall(folded) if word not in STOP_WORDS])
    found: set[str] = set()
    for word in _WORD.findall(folded):
        if word in STOP_WORDS:
            continue
        if not word.isascii() and _UNSPACED.search(word):
            found.update(_pairs(word))
        else:
            found.add(stem(word))
    return frozenset(found)


@lru_cache(maxsize=4_096)
def folded(text: str) -> str:
    """`text` as `holds` reads it."""
    return fold(text)


def holds(folded: str, term: str) -> bool:
    """Whether `term` is among the terms of a folded text that is ASCII, without cutting all of it into words.

    A stem begins its word, but for a last y that may stand for "ies".
    """
    start, size = (term[:-1] if term[-1] == "y" else term), len(folded)
    at = folded.find(start)
    while at >= 0:
        if at == 0 or not folded[at - 1].isalnum():
            word = _ASCII_WORD.match(folded, at)
            if word is not None and word.group() not in STOP_WORDS and stem(word.group()) == term:
                return True
        at = folded.find(start, at + 1, size)
    return False


def _pairs(word: str) -> list[str]:
    """Overlapping pairs of characters of each unspaced run, and the stems of the parts between such runs."""
    found = [stem(part) for part in _UNSPACED.split(word) if part]
    for run in _UNSPACED.findall(word):
        found.extend(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return found
