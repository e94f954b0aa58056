"""The least pay that a text asks for."""

import re

from pipeline.understanding.reading import Reading
from pipeline.understanding.understood import Part
from schemas.pay import read_pay

_SIGN = r"(?:[£€$¥₹]|(?:gbp|usd|eur|chf|cad|aud|pln|zl|sek|nok|dkk|inr)\b)"
_NUMBER = r"\d{1,3}(?:[,. ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_MONEY = rf"(?:{_SIGN} ?)?(?:{_NUMBER}) ?(?:k\b|thousand\b|grand\b)?(?: ?(?:{_SIGN}|pounds?\b|euros?\b|dollars?\b|quid\b))?"
_PERIOD = (
    r"(?: ?(?:per|an?|/|pro|par|por|im|die) ?(?:hour|hr|h|day|week|month|year|annum|stunde|tag|woche|monat|jahr|heure|jour|"
    r"mois|an|hora|dia|mes|ano|uur|maand|jaar)\b| ?(?:ph|pa|p\.a\.?|pcm|hourly|annually|monthly)\b)"
)
_ASKED = re.compile(
    r"(?:\b(?:(?:salary|pay|wage|paying|pays|paid|earning|rate|gehalt|salaire)(?: (?:of|is|must be|should be))?,? ?)?"
    r"(?:from|at least|min(?:imum)?(?: of)?|over|above|more than|starting at|ab|mindestens|a partir de|desde|not (?:less than|under|below)|"
    r"no less than)? ?)?"
    rf"(?<![\w.])(?P<money>{_MONEY}(?: ?(?:to|-|,) ?{_MONEY})?{_PERIOD}?)(?: ?(?:\+|or more|and (?:up|above)|plus|upwards?|minimum|min\b))?"
)
_SURE = re.compile(rf"{_SIGN}|\d ?k\b|pounds?|euros?|dollars?|quid|grand|thousand|{_PERIOD}")
_AT_MOST = re.compile(r"\b(?:up to|under|below|less than|max(?:imum)?|bis zu|at most)\s*$")


def pay_parts(reading: Reading) -> list[Part]:
    """The first amount of money asked for as the least pay; "up to 40k" asks for no least."""
    for match in reading.find(_ASKED):
        money = match["money"]
        if (
            not _SURE.search(money)
            or read_pay(money) is None
            or _AT_MOST.search(reading.plain[: match.start()])
        ):
            continue
        value = " ".join(reading.written(*match.span("money")).split())
        words = reading.written(*match.span()).strip(" ,")
        return [Part(name="pay_from", value=value, words=words, spans=(reading.take(*match.span()),))]
    return []
