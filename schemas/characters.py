"""Characters as a reader sees them, and as matching compares them.

`seen` is for texts that models read: it only takes away what no reader sees and writes styled letters as plain ones.
`fold` is for comparing: it also drops case and accents. Both are idempotent, take any string and need linear time.
"""

import re
import unicodedata
from functools import cache
from typing import Final

MAX_MARKS: Final = 30
"""Most combining marks in a row, as in Unicode's stream-safe format: normalizing a long run takes quadratic time."""

# Control and format characters, soft hyphen, joiners of graphemes, variation selectors, bidirectional marks, tags.
_HIDDEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Characters that show nothing but take room, though Python does not count them as white space.
_BLANK = "\u2800\u3164\uffa0\ufffc"
# Letters and digits that fonts would style: Latin ligatures, full width, raised, in circles, mathematical alphabets.
_STYLED = (
    "\u02b0-\u02b8\u1d2c-\u1d6a\u2071\u207f\u24b6-\u24e9\ufb00-\ufb06\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
    "\U0001d400-\U0001d7ff\U0001f130-\U0001f149"
)
# Scripts whose spelling uses the zero-width joiner and non-joiner: Arabic to Sinhala, Myanmar, Khmer, Mongolian.
_JOINING = "\u0600-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
_UNSEEN = re.compile(f"[{_HIDDEN}{_BLANK}{_STYLED}\ud800-\udfff]")
_STRAY_JOINERS = re.compile(f"(?<![{_JOINING}])[\u200c\u200d]+|[\u200c\u200d]+(?![{_JOINING}])")
_PERHAPS_LONG_RUNS = re.compile(f"[^\x00-\u02ff]{{{MAX_MARKS + 1}}}")
_JOINERS = re.compile("[\u200c\u200d]")
# Of a base letter's marks these are accents and vowel points; others (nukta, virama, kana's voicing, Thai vowels and
# tones) tell letters apart.
_ACCENTS: Final = frozenset([1, *range(10, 37), *range(200, 241)])
_LETTERS: Final = {
    "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t", "ı": "i", "ŋ": "n",
    "й": "й", "ـ": "", "ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه",
}  # fmt: skip


def seen(text: str) -> str:
    """Return `text` without invisible characters, in Unicode's composed form (NFC), styled letters as plain ones.

    Unpaired surrogates become U+FFFD. The zero-width joiners stay between letters of a script
    that is spelled with them. White space stays as it is.
    """
    if text.isascii():
        return _UNSEEN.sub("", text) if not text.isprintable() else text
    text = _UNSEEN.sub(_replacement, text)
    if "\u200c" in text or "\u200d" in text:
        text = _STRAY_JOINERS.sub("", text)
    return _normalized("NFC", text)


def fold(text: str) -> str:
    """Return `text` as matching compares it: lower case, no accents, compatibility forms and ligatures resolved.

    "Infirmière" and "ｉｎｆｉｒｍｉｅｒｅ" become "infirmiere". Marks that tell letters apart stay, as in Hindi
    and Thai.
    """
    if text.isascii():
        return seen(text).lower()
    while (folded := _folded(text)) != text:
        text = folded
    return folded


def _folded(text: str) -> str:
    text = _JOINERS.sub("", seen(text))
    text = _normalized("NFKC", _normalized("NFKC", text).casefold())
    return _normalized("NFC", text.translate(_FOLDS))


def _replacement(found: re.Match[str]) -> str:
    character = found.group()
    if character in _BLANK:
        return " "
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    if "\x80" <= character <= "\x9f":
        # what Windows wrote into a file that says Latin-1, such as a dash or an apostrophe; browsers show it so too
        return bytes([ord(character)]).decode("cp1252", "ignore")
    styled = unicodedata.normalize("NFKC", character)
    return styled if styled != character else ""


def _normalized(form: str, text: str) -> str:
    if unicodedata.is_normalized(form, text):  # type: ignore[arg-type]
        return text
    if _PERHAPS_LONG_RUNS.search(text):
        text = _long_runs().sub(r"\1", text)
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


@cache
def _long_runs() -> re.Pattern[str]:
    """Runs of more than MAX_MARKS marks; the class is made from Unicode's table at first use (10 ms)."""
    marks = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{{MAX_MARKS}}})[{marks}]+")


class _Folds(dict[int, str]):
    """What each composed character folds to, worked out when the character is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _fold_character(chr(code))
        return found


def _fold_character(character: str) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    bare = [
        part
        for part in unicodedata.normalize("NFKD", character)
        if unicodedata.combining(part) not in _ACCENTS
    ]
    return "".join(_LETTERS.get(part, part) for part in unicodedata.normalize("NFC", "".join(bare)))


_FOLDS: Final = _Folds()
