"""Place names in one spelling: no accents, dots, apostrophes or hyphens, Saint and St. alike."""

import re
from functools import lru_cache

from schemas.vocabulary import spelling

_DROPPED = re.compile(r"[.'`´]")
_BETWEEN = re.compile(r"[^\w]+")
_SHORT = {"saint": "st", "sainte": "st", "ste": "st", "sankt": "st", "fort": "ft", "mount": "mt"}


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """The words of a place's name, one space between them: "Saint-Étienne" is "st etienne", "D.C." is "dc"."""
    return fold_plain(spelling(text))


def fold_plain(text: str) -> str:
    """`fold` of a text that is plain already: lower case, without accents."""
    if text.isalpha():
        return _SHORT.get(text, text)
    words = _BETWEEN.sub(" ", _DROPPED.sub("", text)).split()
    return " ".join([_SHORT.get(word, word) for word in words])
