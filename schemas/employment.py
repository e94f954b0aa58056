"""Words for employment types: `full-time`, `contract` and so on, in the spellings of real feeds.

A phrase that only holds a type's word is taken out before the words are counted: a permanent contract is no contract
work, and "no part-time" names no part-time work.
"""

import re
from functools import lru_cache

from schemas.vocabulary import spelling

#: Characters of a field that are read; what is longer is no answer but a text that strayed into the field.
_READ = 500

_FULL = (
    r"full ?time|full tm|f/ ?t|ft|vollzeit\w*|temps (?:plein|complet)|plein temps|(?:tiempo|jornada) complet[oa]|"
    r"voltijd\w*|tempo (?:pieno|integral)|heltid"
)
_PART = (
    r"part ?time|p/ ?t|pt|teilzeit\w*|temps partiel|mi temps|(?:tiempo|jornada) parcial|media jornada|deeltijd\w*|"
    r"tempo (?:parziale|parcial)|mini ?jobs?|job shar(?:e|ing)|deltid|werkstudent\w*"
)
_PERMANENT = (
    r"permanent|perm|open ended|indefinite|unbefristet\w*|festanstellung|fest ?angestellt\w*|feste anstellung|festvertrag|cdi|duree indeterminee|"
    r"indefinid[oa]|fijo|onbepaalde tijd|"
    r"tempo indeterminato|dauerhaft|temps indetermine"
)
_CONTRACT = (
    r"contract|contracts|contractors?|contracting|contractual|freelanc\w*|free lance\w*|self employed|c2c|corp to corp|1099|w2 contract|"
    r"c2h|freie mitarbeit|freiberuf\w*|freier mitarbeiter|independant|independente|autonomo|zzp\w*|"
    r"independent contractors?|werkvertrag|prestataire"
)
_TEMPORARY = (
    r"temp|temporary|temporarily|fixed term\w*|ftc|seasonal|locum|interim\w*|maternity cover|limited term|term limited|"
    r"(?<!un)befristet\w*|zeitarbeit\w*|zeitvertrag|temporar\w*|leiharbeit\w*|aushilfe\w*|saison\w*|cdd|duree determinee|vacation temporaire|"
    r"temporaire|temporal|eventual|bepaalde tijd|tijdelijk\w*|uitzend\w*|tempo determinato|temporario|temporaneo"
)
#: Types in the order in which they are listed, and what they are called.
_CALLED = {
    "full-time": _FULL,
    "part-time": _PART,
    "contract": _CONTRACT,
    "temporary": _TEMPORARY,
    "internship": (
        r"interns?|internships?|co op|coop|(?:work|student|industrial|summer|year) placements?|praktik(?:um|a|ant\w*)|"
        r"stages?|stagiaires?|practicas|becari[oa]s?|pasantias?|tirocinio|estagio|trainee?ships?"
    ),
    "apprenticeship": (
        r"apprentice(?:ship)?s?|ausbildung\w*|auszubildend\w*|azubi\w*|lehre|lehrling|apprentissage|alternance|"
        r"contrat (?:pro|de professionnalisation)|aprendi(?:z|zaje)|leerwerk\w*|bbl"
    ),
    "volunteer": (
        r"volunteer(?:ing|s)?|voluntary|ehrenamt\w*|benevol\w*|voluntari(?:o|a|ado)|vrijwillig\w*|bundesfreiwilligendienst"
    ),
    "permanent": _PERMANENT,
    "per-diem": r"per diem|prn|casual|zero hours?|0 hours?|on call|as needed|bank (?:staff|work|worker|shifts?)|vacataire|oproep\w*",
}
_PATTERNS = {kind: re.compile(rf"(?<![\w])(?:{words})(?![\w])") for kind, words in _CALLED.items()}
_ANY_WORD = "|".join(_CALLED.values())

_JOINED = r"[\s/,&|+]*(?:\b(?:or|and|und|oder|bzw|et|ou|y|o|en|of|to)\b)?[\s/,&|+]*"
#: Halves that share their end: "full- or part-time", "Voll- und Teilzeit", "temps plein ou partiel".
_SHARED_END = (
    (re.compile(rf"\b(full|part)(?={_JOINED}(?:full|part) ?time\b)"), r"\1 time"),
    (re.compile(rf"\bvoll(?={_JOINED}teilzeit)"), "vollzeit"),
    (re.compile(rf"\bteil(?={_JOINED}vollzeit)"), "teilzeit"),
    (re.compile(rf"\b(temps (?:plein|complet){_JOINED})partiel\b"), r"\1temps partiel"),
    (re.compile(rf"\b(tiempo complet[oa]{_JOINED})parcial\b"), r"\1tiempo parcial"),
    (re.compile(rf"\b(jornada completa{_JOINED})parcial\b"), r"\1jornada parcial"),
    (re.compile(rf"\b(full ?time{_JOINED})part\b(?! ?time)"), r"\1part time"),
    (re.compile(rf"\bvol(?={_JOINED}deeltijd)"), "voltijd"),
    (re.compile(r"\bvaste? (?:contract|dienstverband|aanstelling|baan)\b"), "permanent"),
)
_BETWEEN = rf"(?:\s+(?:{_FULL}|{_PART}|employment|work|labou?r|job|staff|position))*"
#: Where "contract" is the paper and not the type of work.
_PAPER = re.compile(
    rf"\b({_PERMANENT}|zero hours?|0 hours?|apprentice(?:ship)?)({_BETWEEN})\s+contracts?(?:ual)?\b|"
    r"\b()()(?:contract (?:type|of employment|duration|length)|(?:type of|employment) contract)s?\b"
)
_OPEN_ENDED_CONTRACT = re.compile(rf"\bcontracts?( ?[:(-] ?)(?={_PERMANENT})")
_NOT = (
    rf"\b(?:no|not|non|without|excluding|kein\w*|nicht|ohne|pas de|sans|sin|geen|niet|zonder)\b"
    rf"(?: (?:a|an|fur|en|de))?\s+(?:{_ANY_WORD})(?![\w])(?: (?:contracts?|positions?|work|roles?|jobs?))?"
)
_DENIED = re.compile(_NOT + rf"(?:\s*(?:/|\bor\b|\bnor\b)\s*(?:{_ANY_WORD})(?![\w]))*")
_DENIED_AFTER = re.compile(
    rf"(?<![\w])(?:{_ANY_WORD})(?![\w]) (?:is |are )?not (?:available|possible|offered|considered)\b"
)


# cached, because a catalog repeats a few values in all its postings
@lru_cache(maxsize=4096)
def employment_kinds(said: str) -> tuple[str, ...]:
    """The types that a posting or search names, in one order; none where its words name no type."""
    words = spelling(said[:_READ])
    for pattern, whole in _SHARED_END:
        words = pattern.sub(whole, words)
    words = _DENIED_AFTER.sub(" ", _DENIED.sub(" ", words))
    words = _PAPER.sub(r"\1\2", _OPEN_ENDED_CONTRACT.sub(r"\1", words))
    return tuple(kind for kind, pattern in _PATTERNS.items() if pattern.search(words))
