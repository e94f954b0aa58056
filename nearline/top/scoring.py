"""What scoring does now: cache, depth, verdicts and fates, each in one line."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from nearline.top.history import History
from nearline.top.shown import NONE, number, share

CACHE, ADMISSIONS = "nearline_alerts_cache", "nearline_alerts_admissions"
CANDIDATES, REFUSALS = "nearline_alerts_candidates_total", "nearline_model_refusals_total"
#: Results of look-ups in the score cache that were answered by a score that was there.
HITS = ("hits", "early", "stale", "shared")
#: Results beside those look-ups that a score could answer.
BESIDE = ("rejected", "takeovers", "failures")


class Line(NamedTuple):
    """A name and what is to be said of it."""

    what: str
    figures: str


def scoring_lines(history: History) -> Iterator[Line]:
    """A line for each part; one whose process shows nothing says so by a dash."""
    yield Line("score cache", _cache(history))
    yield Line("depth", _depth(history))
    yield Line("verdicts", _rates(history, ADMISSIONS, "verdict"))
    yield Line("candidates", _rates(history, CANDIDATES, "fate"))
    yield Line("refusals", _rates(history, REFUSALS, "reason"))


def looked_up(results: Mapping[str, float]) -> float:
    """All look-ups that a score could answer, or how many in a second, by the results' numbers."""
    return sum(number for result, number in results.items() if result not in BESIDE)


def hits(results: Mapping[str, float]) -> float:
    """The look-ups that a score answered which was there already."""
    return sum(results.get(result, 0.0) for result in HITS)


def _cache(history: History) -> str:
    """Hit rate of the window, of all time while nothing is looked up, and the results a second."""
    rates = by_label(history, CACHE, "result", history.rate)
    since_start = by_label(history, CACHE, "result", history.value)
    if not since_start:
        return NONE
    known, when = (rates, "now") if sum(rates.values()) > 0 else (since_start, "since the start")
    parts = [f"{result} {number(rate)}/s" for result, rate in rates.items() if rate]
    return "   ".join([f"hit rate {share(hits(known), looked_up(known))} {when}", *parts])


def _depth(history: History) -> str:
    depth, limit = history.value("nearline_alerts_depth"), history.value("nearline_alerts_call_limit")
    if depth is None:
        return NONE
    calls = "" if not limit else f"   {number(limit)} candidates a call at most"
    pauses = history.rate("nearline_alerts_shaping_pauses_total")
    held = f"   held back {number(pauses)}/s" if pauses else ""
    return f"{number(depth)} candidates a request at most{calls}{held}"


def _rates(history: History, name: str, label: str) -> str:
    """The values of a label with what each counts in a second, the most frequent first."""
    rates = by_label(history, name, label, history.rate)
    if not rates:
        return NONE
    busy = sorted(((rate, value) for value, rate in rates.items() if rate), reverse=True)
    return "   ".join(f"{value} {number(rate)}/s" for rate, value in busy) or "none"


def by_label(history: History, name: str, label: str, read: Callable[..., float | None]) -> dict[str, float]:
    """What `read` (rate or value) gives for each value of a label, in the order of the page."""
    values = dict.fromkeys(
        one.labels[label] for one in history.newest.values(name, {}) if label in one.labels
    )
    found = {value: read(name, **{label: value}) for value in values}
    return {value: number for value, number in found.items() if number is not None}
