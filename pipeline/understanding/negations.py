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
_DOING = rf"{_WORD}ing (?:with|for|to|on|of|at) (?:the |an? )?{_WORD}(?: {_WORD})?"
_PHRASE = rf"(?:{_DOING}|{_WORD}(?: {_WORD}){{0,3}})"
_AND = r"(?:/| or | nor | and | oder | und | ou | ni | y | o )(?:no |any )?"
_NO = re.compile(
    rf"\b{_CUE} (?!(?:wanted|needed|required|necessary|possible|fewer|less|more than|later|longer)\b)(?:any |at |an? |the |in |on (?!call)|de |more |to )*"
    rf"(?P<phrases>{_PHRASE}(?:{_AND}{_PHRASE})*)"
)
_OFF = re.compile(
    r"\b(?P<phrases>(?:weekends?|saturdays?(?: and sundays?)?|sundays?|evenings?|nights?|wochenenden?|sonntage?|bank holidays)) "
    r"(?:off|free|frei)\b|\bfree (?P<other>weekends?|evenings?|sundays?|saturdays?)\b"
)
_AFTER = re.compile(
    rf"(?:[,;.(]|{TAKEN}|^(?=(?:\S+ ){{1,3}}(?:is |are )?(?:not|un|ex))) ?(?P<phrases>{_WORD}(?: {_WORD}){{0,4}}) (?:is |are )?(?:not wanted|unwanted|excluded|not ok)\b"
)
#: Words at which a phrase ends, because they begin something else.
_ENDS = re.compile(
    r" (?:in|near|around|please|but|if|because|that|which|within|based|only|job|jobs|needed|required|wanted|necessary|looking|i|we|"
    r"is|are|thanks)\b.*$"
)
#: The same, unless only one word stands before: "no contact with clients".
_ENDS_LATER = re.compile(r"^(\S+ \S+(?: \S+)*?) (?:for|with|from|to|at|as)\b.*$")
#: What a posting requires and a person lacks: no filter, since a posting that says so in other words would be refused.
_LACKED = re.compile(
    r"\b(?:experience\w*|degrees?|diplomas?|qualifications?|qualified|licen[cs]es?|certificat\w+|bachelor\w*|master'?s|references?|training|cv|visa|car|"
    r"vehicle|skills?|german|dutch|english|french|spanish|italian|swedish|polish|language|exams?|background|checks?|deadline|"
    r"interviews?|fees?|agencies|agency|less|later|more|longer|sure|yet|just|only|limit|erfahrung|experiencia|"
    r"nederlands|ervaring|matter|mind|care|necessarily|too|problem)\b"
)
_DIVIDES = re.compile(_AND)
_OFTEN = (
    r"(?:(?:weekends?|nights?|evenings?|saturdays?|sundays?|late nights?|early mornings?|bank holidays?|shifts?|overnights?)"
    r"(?: (?:work(?:ing)?|shifts?|dut(?:y|ies)|hours))?|(?:cold|sales) call(?:ing|s)|travel(?:ling|ing)?|overtime|on call(?: work| rota)?|"
    r"driving|commission|zero hours?|(?:heavy )?lifting)\b"
)
#: What is often denied: what follows it, or stands before it, is sought.
_COMMON = re.compile(_OFTEN)
_COMMON_LAST = re.compile(rf"(?<!\S){_OFTEN}$")
#: A word that is looked for, and not one that only leads to what is denied.
_SOUGHT = re.compile(r"(?!\b(?:but|and|i|a|an|the|want|work|job|with|looking|for)\b)\b[^\W\d_]{2,}")
#: Must-nots that are read of one text.
_MOST = 20
#: Words of a phrase that begins a text in which nothing else is sought.
_FEW = 2


def negation_parts(reading: Reading) -> list[Part]:
    """The must-nots of a text; what a person lacks ("no experience") stays among the words to look for."""
    parts: list[Part] = []
    for pattern in (_OFF, _AFTER, _NO):
        at = 0
        while len(parts) < _MOST and (match := pattern.search(reading.plain, at)):
            at = match.end()
            parts += _of(reading, match)
    return parts[:_MOST]


def _of(reading: Reading, match: re.Match[str]) -> list[Part]:
    group = "phrases" if match["phrases"] else "other"
    start, end = match.span(group)
    if match.re is _AFTER and (common := _COMMON_LAST.search(reading.plain, start, end)):
        start = common.start()
    said = _phrase(reading, match, start, end)
    cut = start + len(said) < end
    if not said.strip() or _LACKED.search(said) or said in STOP_WORDS:
        return []
    end = start + len(said)
    whole = (start if match.re is _AFTER else match.start(), end if cut else match.end())
    values = _phrases(reading, start, end)
    words = reading.written(*whole).strip(" ,;.(")
    spans = (reading.take(*whole),)
    return [
        Part(name="must_not", value=value, words=words, spans=spans if n == 0 else ())
        for n, value in enumerate(dict.fromkeys(values))
    ]


def _phrase(reading: Reading, match: re.Match[str], start: int, end: int) -> str:
    """What is denied: up to a word that begins something else; two words where what is sought may follow unmarked."""
    said = reading.plain[start:end]
    if match.re is not _NO or re.fullmatch(_DOING, said):
        return said
    if common := _COMMON.match(said):
        said = said[: common.end()] if not _DIVIDES.search(said) else said
    said = _ENDS.sub("", said)
    words = said.split(" ")
    if (
        len(words) <= _FEW
        or _DIVIDES.search(said)
        or _is_whole(reading, match, start + len(said), len(words))
    ):
        return said
    return " ".join(words[:_FEW])


def _is_whole(reading: Reading, match: re.Match[str], end: int, words: int) -> bool:
    """Whether a phrase ends at a mark, or ends the text and is short, and something was sought before it."""
    behind = reading.plain[end:].lstrip(" ")
    if behind:
        return not behind[0].isalnum()
    return words <= _FEW + 1 and _SOUGHT.search(reading.plain[: match.start()]) is not None


def _phrases(reading: Reading, start: int, end: int) -> list[str]:
    """The phrases of a list: "nights or weekends"; a last word that all share stays with the last."""
    found, at = [], start
    for joint in [*_DIVIDES.finditer(reading.plain, start, end), None]:
        stop = joint.start() if joint else end
        found.append(" ".join(reading.written(at, stop).split()))
        at = joint.end() if joint else end
    return [phrase for phrase in found if phrase]
