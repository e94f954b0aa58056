"""The explanation of a pair as the steps that a browser shows, in the order in which the system takes them."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from models.prompts import MAX_CHARS
from models.vectors import width_of
from nearline.page.desk import pieces, spans_of
from nearline.page.messages import record_item
from pipeline.explain import Explanation, ScoreCheck
from schemas.clean import clean
from schemas.keys import US_PER_DAY
from schemas.records import FeatureRecord, SavedSearch
from schemas.times import iso
from storage.ledger_entry import LedgerEntry, Sent

Passed = Literal["yes", "no", "told"]
_SENT = {
    Sent.SENT: "this opening's alert was sent",
    Sent.CLAIMED: "claimed: its transaction was cut off, or is not noted yet",
    Sent.UNMARKED: "taken by a version that noted no commits, counts as sent",
}


class Step(NamedTuple):
    """One step: its name, whether the pair passes it (`told`: it decides nothing), and what was wanted and found."""

    name: str
    passed: Passed
    wanted: str
    found: str


def pair_view(made: Explanation) -> dict[str, Any]:
    """Everything that the page of a pair shows, as plain values."""
    record, score = made.record, made.score
    text = None if made.description is None else clean(made.description, MAX_CHARS)
    spans = None if text is None or record is None else spans_of(text, record.summary)
    return {
        "why": made.why,
        "fate": made.fate,
        "search": _search(made.search),
        "posting": None if record is None else record_item(record),
        "times": [] if record is None else _times(record),
        "steps": [step._asdict() for step in _steps(made)],
        "text": None if text is None else pieces(text, spans or ()),
        "verbatim": spans is not None,
        "prompt": None if score is None else {"text": score.prompt, "tokens": score.tokens},
        "alert_id": made.alert_id,
    }


def _search(search: SavedSearch) -> dict[str, Any]:
    return {"search_id": search.search_id, "query": search.query, "threshold": search.threshold}


def _times(record: FeatureRecord) -> list[dict[str, str]]:
    """When the registers were set, as names and ISO times."""
    found = {"record": record.version, "content": record.content_version, "open since": record.episode}
    return [{"name": name, "at": iso(us)} for name, us in found.items() if us >= 0]


def _steps(made: Explanation) -> Iterator[Step]:
    if made.record is not None:
        state = f"{made.record.state}, {made.opening} opening" if made.opening else str(made.record.state)
        yield Step("state", _passed(made.opening is not None), "open", state)
    for check in made.filters:
        name = check.name.replace("_", " ")
        yield Step(name, _passed(check.passed), check.wanted or "anything", check.found or "not said")
    if (terms := made.terms) is not None:
        found = f"{', '.join(terms.found) or 'none'}" + (
            f"; missing {', '.join(terms.missing)}" if terms.missing else ""
        )
        wanted = f"{terms.needed} of {len(terms.found) + len(terms.missing)} words"
        yield Step("words", _passed(terms.passed), wanted, found)
    if (near := made.meaning) is not None:
        found = f"{near.similarity:.3f} by {near.model}"
        yield Step("vectors", _passed(near.passed), f"a similarity of {near.needed:g}", found)
    elif made.record is not None and made.record.vector:
        found = f"{width_of(made.record.vector)} numbers by {made.record.vector_model}"
        yield Step("vector", "told", "one of the search's model", found)
    if made.score is not None:
        yield _score(made.score)
    yield from _limits(made)


def _score(score: ScoreCheck) -> Step:
    source = "from the cache" if score.cached else f"asked now, {score.model}"
    found = f"{score.p_yes:.4f} ({source})"
    return Step("score", _passed(score.p_yes >= score.threshold), f"at least {score.threshold:.4f}", found)


def _limits(made: Explanation) -> Iterator[Step]:
    """What may keep a passing pair from alerting: depth, the search's quota of the day, the ledger."""
    if (cut := made.cut) is not None:
        found = f"place {cut.place} of {cut.candidates}, {iso(cut.at_ms * 1000)}"
        yield Step("depth", "no", f"among the first {cut.depth}", found)
    if (quota := made.quota) is not None:
        day = iso(quota.day * US_PER_DAY)[:10]
        wanted = f"fewer than {quota.allowed} alerts on {day}"
        yield Step("quota", _passed(quota.passed), wanted, f"{quota.used} so far")
    if made.alert_id is not None:
        yield Step("ledger", "told", "one alert an opening", _ledger(made.ledger))


def _ledger(entry: LedgerEntry | None) -> str:
    if entry is None:
        return "no alert of this opening yet"
    return f"{_SENT[entry.sent]}, for score.requests/{entry.partition}/{entry.offset}"


def _passed(passed: bool) -> Passed:
    return "yes" if passed else "no"
