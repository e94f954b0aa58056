"""Which types of employment a text asks for."""

import re

from pipeline.understanding.reading import Reading
from pipeline.understanding.understood import Part
from schemas.employment import employment_kinds

_HOURS = (
    r"(?:full|part)(?: ?(?:or|and|/|,) ?(?:full|part))? ?time|teilzeit|vollzeit|(?:voll|teil) (?:und|oder) (?:voll|teil)zeit|"
    r"temps (?:partiel|plein|complet)|mi temps|(?:tiempo|jornada) (?:complet[oa]|parcial)|media jornada|deeltijd|voltijd|deltid|"
    r"heltid|mini ?job|job share|tempo (?:pieno|parziale)"
)
_AROUND = r"(?: (?:only|work|job|jobs|hours|role|roles|position|positions|contract|basis|employment))*"
_TIMES = re.compile(rf"\b(?:only )?(?:{_HOURS})\b(?! (?:students?|education|equivalent)){_AROUND}")
_DENIED = re.compile(
    rf"\b(?:no|not|never|without|don'?t want|do not want|kein\w*|nicht|ohne|pas de|sin|geen) (?:a |any )?(?P<denied>{_HOURS})\b{_AROUND}"
)
_OTHER_TIME = {"full-time": "part-time", "part-time": "full-time"}


def type_parts(reading: Reading) -> tuple[list[Part], list[str]]:
    """At most one part for the hours, and a remark where the text asks for what it refuses."""
    refused = [_denied(reading, match) for match in reading.find(_DENIED)]
    wanted = []
    while match := _TIMES.search(reading.plain):
        wanted.append(_part(reading, match, "/".join(employment_kinds(match[0]))))
    kinds = {kind for part in wanted for kind in part.value.split("/")}
    against = {_OTHER_TIME[part.value] for part in refused if part.value in _OTHER_TIME}
    if kinds & against or len({part.value for part in refused}) > 1:
        words = " and ".join(f'"{part.words}"' for part in (*wanted, *refused))
        return [], [f"{words} contradict each other: there is no filter for the type of employment"]
    if not wanted:
        return refused[:1], []
    spans = tuple(span for part in (*wanted, *refused) for span in part.spans)
    words = ", ".join(part.words for part in (*wanted, *refused))
    return [Part(name="employment_type", value="/".join(sorted(kinds)), words=words, spans=spans)], []


def _denied(reading: Reading, match: re.Match[str]) -> Part:
    """Who wants no full-time work wants part-time work, and the other way round."""
    kinds = employment_kinds(match["denied"])
    return _part(reading, match, _OTHER_TIME[kinds[0]] if len(kinds) == 1 else "")


def _part(reading: Reading, match: re.Match[str], value: str) -> Part:
    words = reading.written(*match.span()).strip(" ,")
    return Part(name="employment_type", value=value, words=words, spans=(reading.take(*match.span()),))
