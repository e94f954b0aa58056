"""Whether a text asks for remote work or for work on site."""

import re

from pipeline.understanding.reading import Reading
from pipeline.understanding.understood import Part

_REMOTE = (
    r"remote(?:ly)?|work(?:ing)? (?:from|at) home|wfh|from home|home ?based|home ?office|home ?working|telecommut\w+|tele ?work\w*|"
    r"teletrabajo|en remoto|remoto|teletravail|a distance|thuiswerk\w*|von zu ?hause|da remoto"
)
_ON_SITE = (
    r"on ?site|in ?office|in the office|office based|at the office|vor ort|presencial|sur site|op kantoor"
)
_HYBRID = r"hybrid\w*|hibrido|hybride"
#: What is remote, or at home, and is no way of working.
_OTHER = (
    r"(?! (?:sens\w+|control\w*|monitor\w*|desktop|areas?|communit\w+|locations?|regions?|islands?|villages?|access|support|"
    r"diagnos\w+|infrastructure|hands|to home|care|deliver\w*|visits?|help)\b)"
)
_AROUND = (
    r"(?: (?:only|first|work|working|based|position|positions|role|roles|job|jobs|possible|ok|preferred))*"
)
_BEFORE = r"(?:(?:fully|100 ?%|completely|entirely|purely|only|mainly|mostly|must be|can be|working|work) )*"
_FORMS = {
    "remote": re.compile(rf"\b{_BEFORE}(?:{_REMOTE})\b{_OTHER}{_AROUND}"),
    "on site": re.compile(rf"\b{_BEFORE}(?:{_ON_SITE})\b{_AROUND}"),
}
_HYBRID_WORK = re.compile(rf"\b(?:{_HYBRID})\b")
_INDIFFERENT = re.compile(
    rf"\b(?:{_REMOTE}|{_ON_SITE}|{_HYBRID})(?: (?:or|and|/) ?(?:{_REMOTE}|{_ON_SITE}|{_HYBRID}))+\b|"
    rf"\b(?:{_REMOTE}|{_ON_SITE})(?: work\w*)? (?:is |are )?(?:not (?:needed|necessary|required|important|essential|a must)|optional|"
    r"(?:un|not )important|doesn'?t matter|either way|or not)\b|"
    rf"\b(?:no need (?:for|to)|don'?t need|do not need|needn'?t be|need not be)(?: work)? (?:{_REMOTE}|{_ON_SITE})\b"
)
_DENIED = {
    "on site": re.compile(
        rf"\b(?:no|not|non|never|without|don'?t want|do not want|kein\w*|nicht|ohne|pas de|sin|geen) (?:to )?(?:fully |any |be |a )?"
        rf"(?:{_REMOTE})\b{_OTHER}{_AROUND}|\b(?:{_REMOTE})\b{_OTHER} (?:is )?not (?:wanted|possible|for me|an option|ok)\b"
    ),
    "remote": re.compile(
        rf"\b(?:no|not|never|without|don'?t want|do not want|kein\w*|nicht|ohne|pas de|sin|geen) (?:to )?(?:be |an |any )?"
        rf"(?:{_ON_SITE}|office|offices|commute|commuting)\b(?! (?:\w+))|\b(?:{_ON_SITE}) not (?:wanted|possible|for me|an option)\b"
    ),
}


def workplace_parts(reading: Reading) -> tuple[list[Part], list[str]]:
    """At most one part, and a remark where the text wants both of two that exclude each other."""
    for match in reading.find(_INDIFFERENT):
        return [_part(reading, match, "any")], []
    found = [*_found(reading, _DENIED), *_found(reading, _FORMS)]
    values = {part.value for part in found}
    if len(values) > 1:
        words = " and ".join(f'"{part.words}"' for part in found)
        return [], [f"{words} contradict each other: there is no filter for remote work"]
    if found and _HYBRID_WORK.search(reading.plain):
        return [], []
    return found[:1], []


def _found(reading: Reading, patterns: dict[str, re.Pattern[str]]) -> list[Part]:
    found = []
    for value, pattern in patterns.items():
        while match := pattern.search(reading.plain):
            found.append(_part(reading, match, value))
    return found


def _part(reading: Reading, match: re.Match[str], value: str) -> Part:
    words = reading.written(*match.span()).strip(" ,")
    return Part(name="remote", value=value, words=words, spans=(reading.take(*match.span()),))
