"""Summaries that no person would accept, however they are rewarded: empty, copied, stuffed, in another language.

They are counted, and shown in the curves of a run; what they are is decided by words alone, without a model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from models.prompts import Item

GUARDS = ("empty", "copied", "stuffed", "off_language")
COPIED_PART = 0.8
"""A summary that holds this share of a text's words is a copy of it."""
FOREIGN_PART = 1 / 3
"""A summary is stuffed from this share of words on that the posting does not have."""
REPEATED_PART = 1 / 3
"""A summary is stuffed where one word makes up more than this share of at least FEW words."""
FEW = 6
HARDLY = 0.1
"""A text hardly has a script in which less than this share of its words is written."""
TELLING = 3
"""Fewest function words of one language that tell it."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_FUNCTION_WORDS = {
    "en": "the and of to a as in on or with for you our we will are is your be have this that",
    "de": "und der die das mit für sie wir ist ein eine zu den von im auf werden",
    "fr": "et le la les des vous nous est une dans pour avec sur du au votre",
    "es": "y el la los las de que con para una por se su del en como",
    "it": "e il di che la per con una del della sono nel alla le gli più",
    "nl": "en de het een van je met voor wij op is aan bij ons onze jij",
    "pt": "e o a os as de que com para uma em do da não por você",
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _FUNCTION_WORDS.items()}


def flags(summary: str, item: Item) -> frozenset[str]:
    """The GUARDS that a summary of a posting hits; none where the posting has no text."""
    text = words(item.text)
    if not text:
        return frozenset()
    found = words(summary)
    if not found:
        return frozenset({"empty"})
    known = {*text, *words(_metadata(item))}
    hit = {
        "copied": _is_copy(found, text),
        "stuffed": _foreign(found, known) or _repeats(found, text),
        "off_language": _is_foreign_language(found, text),
    }
    return frozenset(name for name, is_hit in hit.items() if is_hit)


def shares(found: Iterable[Collection[str]]) -> dict[str, float]:
    """The share of summaries that hit each guard."""
    rows = list(found)
    return {name: sum(name in row for row in rows) / max(1, len(rows)) for name in GUARDS}


def words(text: str) -> list[str]:
    """The words of a text, in lower case; in scripts without spaces, its characters."""
    return _WORD.findall(text.lower())


def language(found: Sequence[str]) -> str:
    """The language whose function words are most frequent; "" where too few tell, or two are equally frequent."""
    counts = {name: sum(word in kept for word in found) for name, kept in _LANGUAGES.items()}
    name, count = max(counts.items(), key=lambda pair: pair[1])
    sole = list(counts.values()).count(count) == 1
    return name if count >= TELLING and sole else ""


def _is_foreign_language(found: Sequence[str], text: Sequence[str]) -> bool:
    """Whether most letters are of a script that the text hardly has, or the words of another language than its own."""
    scripts, of_text = Counter(filter(None, map(_script, found))), Counter(filter(None, map(_script, text)))
    if scripts and of_text[scripts.most_common(1)[0][0]] < HARDLY * of_text.total():
        return True
    return "" not in (pair := {language(found), language(text)}) and len(pair) == 2


def _is_copy(found: Sequence[str], text: Sequence[str]) -> bool:
    shared = sum((Counter(found) & Counter(text)).values())
    return len(text) >= FEW and shared >= COPIED_PART * len(text)


def _foreign(found: Sequence[str], known: Collection[str]) -> bool:
    return sum(word not in known for word in found) >= FOREIGN_PART * len(found)


def _repeats(found: Sequence[str], text: Sequence[str]) -> bool:
    """Whether one word, or one run of three words, stands oftener than the text explains."""
    if len(found) < FEW:
        return False
    word, count = Counter(found).most_common(1)[0]
    runs, of_text = _runs(found), _runs(text)
    return (count > REPEATED_PART * len(found) and len(word) > 3) or any(
        number > max(1, of_text[run]) for run, number in runs.items()
    )


def _runs(found: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(zip(found, found[1:], found[2:], strict=False))


def _metadata(item: Item) -> str:
    fields = (item.title, item.company, item.location, item.employment_type, item.remote)
    return " ".join(field for field in fields if field)


def _script(word: str) -> str:
    """The first word of a letter's Unicode name, such as LATIN; "" for a number."""
    letter = next((character for character in word if character.isalpha()), "")
    return unicodedata.name(letter, "").split(" ", 1)[0] if letter else ""
