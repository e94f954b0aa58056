"""Words for where work is done: `remote`, `hybrid` and `onsite`, in the spellings of real feeds.

A text is cut into its alternatives ("Remote or in-office") and those into phrases; each phrase is read by itself.
"""

import re
from functools import lru_cache

from schemas.vocabulary import no_answer, spelling

#: The forms, in the order in which a text with several is written: "remote/onsite".
FORMS = ("remote", "hybrid", "onsite")
#: Characters of a field that are read; what is longer is no answer but a text that strayed into the field.
_READ = 500

_REMOTE = (
    r"remote|remotely|remoto|remota|telecommut\w*|tele ?work\w*|teletravail\w*|teletrabajo\w*|wfh|wfa|"
    r"work(?:ing|s)? (?:from|at) home|work(?:ing|s)? from anywhere|from home|at home|home ?work\w*|home ?offices?|"
    r"home ?based|homebased|anywhere|world ?wide|virtual offices?|virtual|virtually|distributed|distance work\w*|"
    r"a distance|a distancia|en casa|desde casa|a domicile|thuiswerk\w*|thuis|op afstand|"
    r"mobiles? arbeiten|mobile arbeit|fernarbeit|heimarbeit|telearbeit|ortsunabhangig\w*|von zu ?hause|"
    r"smart working|da remoto|location independent"
)
_ON_SITE = (
    r"on ?site|on ?location|on premises?|in ?office|in ?person|in (?:the |our )?offices?|at (?:the |our )?offices?|"
    r"office ?based|site ?based|wfo|work from (?:the )?office|(?<!home )(?<!virtual )offices?|vor ort|im buro|buro|prasenz\w*|sur (?:site|place)|presentiel|"
    r"au bureau|bureau|presencial\w*|en (?:la )?oficina|oficina|op (?:kantoor|locatie)|kantoor|in sede|in presenza"
)
_PARTLY = (
    r"hybrid\w*|hibrid\w*|ibrid\w*|part(?:ly|ial|ially)?|partiel\w*|parcial\w*|teilweise|uberwiegend|hauptsachlich|grosstenteils|nach absprache|occasionnel\w*|zeitweise|anteilig|"
    r"gedeeltelijk|deels|mixed|mix|blend\w*|optional|flexible|occasional(?:ly)?|sometimes|some|"
    r"semi|mostly|mainly|primarily|up to|bis zu|jusqu'a|hasta|tot"
)
_NOT = r"no|not|non|never|without|isn't|is not|kein\w*|nicht|ohne|pas(?: de)?|sans|aucun\w*|sin|geen|niet|zonder|senza"
_DENIED = (
    r"no|not|false|none|never|unavailable|impossible|nein|nicht|non|nee|niet|0|not (?:possible|available|allowed|"
    r"offered|considered|eligible|an option|permitted|supported)|isn't\b.*|cannot\b.*|can't\b.*|won't\b.*"
)

_UNNEGATED = {"remote": re.compile(rf"\b(?:{_REMOTE})\b"), "onsite": re.compile(rf"\b(?:{_ON_SITE})\b")}
_OPTIONAL = "|optional|not (?:required|necessary|needed|mandatory)"
_NEGATED = {
    form: re.compile(
        rf"\b(?:{_NOT})\b (?:(?!only\b|just\b)[\w']+ ){{0,4}}?(?:{words})\b(?: work\w*)?|"
        rf"\bnon ?(?:{words})\b|"
        rf"\b(?:{words})\b(?: (?:work\w*|option|position|role|job|allowed|eligible|possible|possibility))*"
        rf" ?(?:(?:is|are|ist|est|es)\b|[:=(,?])? ?(?:{_DENIED}{_OPTIONAL * (form == 'onsite')})\)?$"
    )
    for form, words in (("remote", _REMOTE), ("onsite", _ON_SITE))
}
_HYBRID = re.compile(
    rf"\b(?:{_PARTLY})\b|\bdays?\b.*\b(?:week|month|remote|home|office|site|onsite)|\b\d ?x\b|"
    r"\b(?:tage?|jours?|dias?|dagen|dag)\b|\b(?:home ?offices?|thuiswerken) (?:moglich|mogelijk|possible)\b|"
    r"^\d(?: (?:or|to) \d)? days?$"
)
_FULLY = re.compile(r"\b(?:fully|full|100 ?%?|only|entirely|completely|always|purely)\b")
_PERCENT = re.compile(r"(\d{1,3}) ?(?:%|percent|prozent|pour ?cent|procent|por ciento)")
_NOISE = re.compile(
    r"\bflexible (?:working )?(?:hours?|schedule|start|shifts?|hiring|time)\b|\bhome ?office (?:budget|allowance|stipend)\b|"
    r"\b(?:flexible|anywhere) on (?:hours|time)\b|"
    rf"\b(?:{_NOT}) (?:hybrid|hibrido|hybride)\w*|"
    r"\b(?:with |and )?(?:(?:occasional(?:ly)?|some|limited|little|frequent|regular|no|minimal|(?:up to )?\d+ ?%|business) )*"
    r"(?:travel(?:ling|ing)?|business trips?)(?: (?:is )?required)?\b"
)
_LIMITED = re.compile(
    r"\b(?:until|till|temporar\w*|for now|during|initially|at first|bis auf weiteres|vorubergehend)\b"
)
_YES = re.compile(r"^(?:yes|y|true|t|1|fully|full|ja|oui|si|100 ?%|always|only|completely)\b")
_NO = re.compile(r"^(?:no|n|false|f|0|never|nein|non|nee|not at all)$|^(?:no|nein|non|nee)(?= ?[,.;:(])")
_ALTERNATIVES = re.compile(
    r"\s*(?:[/;|\n]|\bor\b|\boder\b|\bou\b|\bof\b(?= (?:op|thuis|kantoor))|\bo\b(?= [a-z]{3}))\s*"
)
_NO_ANSWER_AFTER = re.compile(
    r"\b(?:not (?:specified|stated|given|known|provided|disclosed)|unspecified|unknown|tbd|tba|tbc|n/a)$"
)
_PER = re.compile(r" ?/ ?(?=(?:week|wk|month|woche|semaine|mois|semana|mes|maand)\b)")
_DASH_BETWEEN = re.compile(r"\s[-\u2013\u2014]+\s")
_PHRASES = re.compile(r"\s*(?:[,()\[\]:=.]|\bbut\b|\baber\b|\bmais\b)\s*")


# cached, because a catalog repeats a few values in all its postings
@lru_cache(maxsize=4096)
def remote_forms(said: str) -> tuple[str, ...]:
    """The forms that a posting or search names, in the order of `FORMS`; none where it cannot be told."""
    if no_answer(said):
        return ()
    words = _NOISE.sub(" ", _PER.sub(" per ", spelling(_DASH_BETWEEN.sub(", ", said[:_READ])))).strip()
    if _NO_ANSWER_AFTER.search(words):
        return ()
    found = {form for part in _ALTERNATIVES.split(words) for form in _alternative(part.strip())}
    return tuple(form for form in FORMS if form in found)


def _alternative(words: str) -> set[str]:
    """The forms of one alternative: hybrid alone where it is limited to some days, else what its phrases say."""
    if _NO.search(words):
        return {"onsite"}
    parts = [words] if _NEGATED["remote"].search(words) else [part.strip() for part in _PHRASES.split(words)]
    found = {form for part in parts if (form := _phrase(part))}
    if not found:
        return {"remote"} if _YES.search(words) else set()
    if "hybrid" in found and not any(part in ("hybrid", "hybrid work") for part in parts):
        return {"hybrid"}
    if "remote" in found and _LIMITED.search(words):
        return {"remote", "onsite"}
    return found


def _phrase(words: str) -> str | None:
    """The form of one phrase: "no remote" is work on site, "no office" is remote, and both together are hybrid."""
    remote, onsite = (bool(_UNNEGATED[form].search(words)) for form in ("remote", "onsite"))
    if (percent := _PERCENT.search(words)) and (remote or onsite):
        share = int(percent[1]) if remote else 100 - int(percent[1])
        return "onsite" if share <= 0 else ("hybrid" if share < 100 else "remote")
    for form, other in (("remote", "onsite"), ("onsite", "remote")):
        if denied := _NEGATED[form].search(words):
            return "hybrid" if _FULLY.search(denied[0]) else other
    if _HYBRID.search(words) or (remote and onsite):
        return "hybrid"
    if remote or words == "home":
        return "remote"
    return "onsite" if onsite else None
