"""What a text must not have: "no weekends", "without cold calling", "nights not wanted", "weekends off"."""

import re

from pipeline.terms import STOP_WORDS
from pipeline.understanding.reading import TAKEN, Reading
from pipeline.understanding.understood import Part

_CUE = (
    r"(?:but |and |with )?(?:no|not|without|never|avoid(?:ing)?|except|excluding|anything but|"
    r"(?:i )?(?:don'?t|do not|won'?t|will not|can'?t|cannot) (?:want|like|do|work)(?: to (?:do|work))?|"
    r"kein\w*|nicht|ohne|sans|pas de|sin|geen|zonder|senza|bez)"
)
_WORD = r"[^\W\d_][\w'+#]*"
_PHRASE = rf"{_WORD}(?: {_WORD}){{0,3}}"
_AND = r"(?: ?/ ?| or | nor | and | oder | und | ou | ni | y | o | of )(?:no |any )?"
_NO = re.compile(
    rf"\b{_CUE} (?:any |at |an? |the |in |on |de |more |to )*(?P<phrases>{_PHRASE}(?:{_AND}{_PHRASE})*)"
)
_OFF = re.compile(
    r"\b(?P<phrases>(?:weekends?|saturdays?(?: and sundays?)?|sundays?|evenings?|nights?|wochenenden?|sonntage?|bank holidays)) "
    r"(?:off|free|frei)\b|\bfree (?P<other>weekends?|evenings?|sundays?|saturdays?)\b"
)
_AFTER = re.compile(
    rf"(?:^|[,;.(]|{TAKEN}) ?(?P<phrases>{_WORD}(?: {_WORD}){{0,2}}) (?:is |are )?(?:not wanted|unwanted|excluded|not ok)\b"
)
#: Words at which a phrase ends, because they begin something else.
_ENDS = re.compile(
    r" (?:in|near|around|for|with|please|but|if|because|that|which|from|to|at|as|within|based|only|job|jobs|needed|required|wanted|"
    r"necessary|looking|i|we|is|are|thanks)\b.*$"
)
#: What a posting requires and a person lacks: no filter, since a posting that says so in other words would be refused.
_LACKED = re.compile(
    r"\b(?:experience\w*|degrees?|diplomas?|qualifications?|qualified|licen[cs]es?|certificat\w+|references?|training|cv|visa|car|"
    r"vehicle|skills?|german|dutch|english|french|spanish|italian|swedish|polish|language|exams?|background|checks?|deadline|"
    r"interviews?|fees?|agencies|agency|less|later|more|longer|sure|yet|just|only|limit|erfahrung|experiencia|"
    r"nederlands|ervaring|matter|mind|care|necessarily|too|problem)\b"
)
_DIVIDES = re.compile(_AND)


def negation_parts(reading: Reading) -> list[Part]:
    """The must-nots of a text; what a person lacks ("no experience") stays among the words to look for."""
    parts: list[Part] = []
    for pattern in (_OFF, _AFTER, _NO):
        at = 0
        while match := pattern.search(reading.plain, at):
            at = match.end()
            parts += _of(reading, match)
    return parts


def _of(reading: Reading, match: re.Match[str]) -> list[Part]:
    group = "phrases" if match["phrases"] else "other"
    start, end = match.span(group)
    said = _ENDS.sub("", reading.plain[start:end])
    cut = start + len(said) < end
    if not said.strip() or _LACKED.search(said) or said in STOP_WORDS:
        return []
    end = start + len(said)
    whole = (match.start(), end if cut else match.end())
    values = _phrases(reading, start, end)
    words = reading.written(*whole).strip(" ,;.(")
    spans = (reading.take(*whole),)
    return [
        Part(name="must_not", value=value, words=words, spans=spans if n == 0 else ())
        for n, value in enumerate(dict.fromkeys(values))
    ]


def _phrases(reading: Reading, start: int, end: int) -> list[str]:
    """The phrases of a list: "nights or weekends"; a last word that all share stays with the last."""
    found, at = [], start
    for joint in [*_DIVIDES.finditer(reading.plain, start, end), None]:
        stop = joint.start() if joint else end
        found.append(" ".join(reading.written(at, stop).split()))
        at = joint.end() if joint else end
    return [phrase for phrase in found if phrase]
