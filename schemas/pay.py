"""Amounts of pay in the spellings of real feeds and searchers: "£28k-£31k pa", "13,50 € pro Stunde", "from $90/hr".

A text may name several amounts; each has the period written behind it, else that of the next amount that has one.
"""

import re
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import NamedTuple

from schemas.vocabulary import spelling

#: Characters of a field that are read; what is longer is no answer but a text that strayed into the field.
_READ = 500
#: How many of each period a year of full-time work has: 40 hours in each of 52 weeks.
A_YEAR = {"hour": 2_080.0, "day": 260.0, "week": 52.0, "month": 12.0, "year": 1.0}
_PERIODS = {
    "hour": r"hours?|hourly|hrs?|ph|stundlich|stunden?|std|stundenlohn|heures?|horaire|horas?|uur|per uur",
    "day": r"days?|daily|pd|tage?|taglich|jours?|dias?|dag",
    "week": r"weeks?|weekly|wk|pw|wochen?|wochentlich|semaines?|semanas?",
    "month": r"months?|monthly|mo|pm|pcm|monate?|monatlich|mois|mensuel\w*|mes|mensual\w*|maand",
    "year": r"years?|yearly|yr|pa|p ?a|annum|annual\w*|jahre?|jahrlich|par an|annuel\w*|ano|anual\w*|jaar",
}
_PERIOD = re.compile("|".join(rf"(?P<{name}>(?<!\w)(?:{words})(?!\w))" for name, words in _PERIODS.items()))
_SIGNS = {"£": "GBP", "€": "EUR", "$": "USD", "¥": "JPY", "₹": "INR", "zł": "PLN"}
_CODES = (
    "gbp usd eur cad aud nzd sgd hkd chf sek nok dkk pln czk huf ron inr jpy cny zar brl mxn etb aed sar ils try krw "
    "ngn kes php"
)
_CALLED = {
    "pounds": "GBP", "pound": "GBP", "quid": "GBP", "euros": "EUR", "euro": "EUR", "dollars": "USD", "dollar": "USD",
    "zl": "PLN", "us$": "USD", "a$": "AUD", "c$": "CAD", "franken": "CHF", "kr": "",
}  # fmt: skip
_CURRENCY = rf"[£€$¥₹]|\b(?:{_CODES.replace(' ', '|')}|pounds?|quid|euros?|dollars?|zl|franken|kr)\b"
_AMOUNT = re.compile(
    rf"(?P<before>{_CURRENCY})?\s*(?<![\w.,])(?!401 ?k)(?P<number>\d{{1,3}}(?:[,.' ]\d{{3}})+(?:[.,]\d{{1,2}})?|\d+(?:[.,]\d{{1,2}})?)"
    rf"\s*(?P<thousands>k\b|tsd\b|thousand\b|grand\b)?(?=(?:ph|pa|pd|pw|pcm|pm|to)\b|\W|$)\s*(?P<after>{_CURRENCY})?(?P<percent>\s*(?:%|percent))?"
)
_RANGE = re.compile(r"\s*(?:to|bis|and|a|until)\s*")
_OPEN = re.compile(
    r"\b(?:from|above|over|at least|minimum|min|starting(?: at)?|starts(?: at)?|more than|ab|mindestens|des|a partir de|"
    r"desde|minimo|vanaf)\W*$"
)
_PER = re.compile(
    r"\s*/|\s*(?:per|an?|pro|par|por|each|ph|pa|pm|pw|pd|hourly|daily|weekly|monthly|yearly|annually)\b"
)
#: Characters behind an amount within which its period stands.
_NEAR = 30
_DASH = re.compile("[-\u2010-\u2015\u2212]+(?=\\s*[£€$¥₹a-zA-Z]{0,3}\\s*\\d)")
#: Numbers without a currency below this are no pay but bands, grades and counts, unless a period stands behind them.
_LEAST_BARE = 1_000
#: Of amounts that name no period, those below the first are an hour's and those from the second on a year's.
_HOURLY, _YEARLY = 200, 10_000


class Pay(NamedTuple):
    """Least and most of the amounts named, a year's each where the period is known; infinite where there is no most.

    `currency`: an ISO code, "" where none is named. `per_year`: whether a period is named or can be told.
    """

    low: float
    high: float
    currency: str
    per_year: bool


@lru_cache(maxsize=16_384)
def read_pay(said: str) -> Pay | None:
    """The pay that a text names; None where it names no amount, such as "competitive"."""
    found = _amounts(_plain(said))
    if not found:
        return None
    named = [(one.number(), period) for one, period in zip(found, _periods(found), strict=True)]
    yearly = [number * A_YEAR[period] for number, period in named if period]
    values = yearly or [number for number, _ in named]
    currency = next((code for one in found if (code := one.currency())), "")
    return Pay(min(values), inf if any(one.open() for one in found) else max(values), currency, bool(yearly))


def pays(wanted: str, found: str) -> bool:
    """Whether pay that a posting names may reach what is wanted; true where the two cannot be compared."""
    least, offered = read_pay(wanted), read_pay(found)
    if least is None or offered is None or least.per_year is not offered.per_year:
        return True
    if least.currency and offered.currency and least.currency != offered.currency:
        return True
    return offered.high >= least.low


class _Amount:
    """One number of a text, with the text before and behind it up to its neighbours."""

    def __init__(self, match: re.Match[str], before: str, behind: str) -> None:
        self.match, self._before, self.behind = match, before, behind
        self.period = _period(behind)
        self.upper: _Amount | None = None
        self.lower: _Amount | None = None

    def number(self) -> float:
        digits = re.sub(r"[,.' ](?=\d{3}(?!\d))", "", self.match["number"]).replace(",", ".")
        number = float(digits)
        shared = self.upper is not None and self.upper.match["thousands"] and number < _LEAST_BARE
        return number * (1_000 if shared or self.match["thousands"] else 1)

    def currency(self) -> str:
        sign = self.match["before"] or self.match["after"] or ""
        return _SIGNS.get(sign) or _CALLED.get(sign, sign.upper())

    def open(self) -> bool:
        """Whether more than the amount may be paid: "from 30k", "100k+"."""
        after = self.behind.startswith("+")
        return self.upper is None and self.lower is None and (after or bool(_OPEN.search(self._before)))

    def is_pay(self) -> bool:
        """Whether the number is one of money, and not a band, a grade or a count."""
        match = self.match
        if match["before"] or match["after"] or match["thousands"] or self.number() >= _LEAST_BARE:
            return True
        return bool(self.period) and _PER.match(self.behind) is not None


def _amounts(text: str) -> list[_Amount]:
    matches = [match for match in _AMOUNT.finditer(text) if not match["percent"]]
    starts = [0, *[match.end() for match in matches]]
    ends = [*[match.start() for match in matches], len(text)]
    gaps = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    found = [_Amount(match, gaps[n], gaps[n + 1]) for n, match in enumerate(matches)]
    for one, other in pairwise(found):
        if _RANGE.fullmatch(one.behind):
            one.upper, other.lower = other, one
    return [one for one in found if any(part.is_pay() for part in (one, one.upper, one.lower) if part)]


def _periods(found: list[_Amount]) -> list[str]:
    """The period of each amount: its own, that of the other end of its range, a likely one, or any that is named."""
    named = next((one.period for one in found if one.period), "")
    return [
        _fitting(one.period, one.number())
        or (_fitting(one.upper.period, one.number()) if one.upper else "")
        or ("year" if one.number() >= _YEARLY else "")
        or named
        or ("hour" if one.number() < _HOURLY else "")
        for one in found
    ]


def _fitting(period: str, number: float) -> str:
    return "" if number >= _YEARLY and period in ("hour", "day", "week") else period


def _plain(said: str) -> str:
    """The text folded, with a dash between numbers as "to"."""
    return spelling(_DASH.sub(" to ", said[:_READ]))


def _period(text: str) -> str:
    match = _PERIOD.search(text[:_NEAR].replace(".", ""))
    return "" if match is None or match.lastgroup is None else match.lastgroup
