"""An alert says why it went out."""

import pytest

from schemas.codec import decode, encode
from schemas.records import Alert, Reason
from tests.field.lists import SEARCH, event, path, read, row


def reasons(*lines: dict[str, object]) -> list[str]:
    made = path(SEARCH)
    for line in lines:
        made.push(read([line]))
    return [alert.reason.value for alert in made.report.alerts]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([event("05", "add")], ["new"]),
        ([row("05")], ["new"]),
        ([row("05"), row("06")], ["new"]),
        ([event("05", "update")], ["new"]),
        ([event("05", "add"), event("06", "close"), event("07", "open")], ["new", "reopened"]),
        ([event("05", "add"), event("06", "close"), event("07", "add")], ["new", "reopened"]),
        ([event("05", "add"), event("06", "remove"), event("07", "add")], ["new", "reopened"]),
        ([event("05", "add"), event("07", "add")], ["new", "reopened"]),
        ([row("05"), event("06", "close"), row("07")], ["new", "reopened"]),
        ([event("05", "close"), event("06", "add")], ["reopened"]),
    ],
)
def test_an_alert_is_new_or_reopened_as_its_opening_is(
    lines: list[dict[str, object]], expected: list[str]
) -> None:
    assert reasons(*lines) == expected


OTHER = {"title": "Cook", "description": "Breakfast and lunch."}


@pytest.mark.parametrize(
    "lines",
    [
        [event("05", "add", **OTHER), event("06", "update")],
        [event("05", "add", **OTHER), event("06", "repost")],
        [row("05", **OTHER), row("06")],
        [event("05", "add", **OTHER), row("06")],
        [event("05", "add", **OTHER), event("06", "update", title="Chef"), event("07", "update")],
    ],
)
def test_an_edit_that_makes_a_posting_match_is_the_reason(lines: list[dict[str, object]]) -> None:
    assert reasons(*lines) == ["edited"]


def test_an_edited_posting_that_was_closed_alerts_because_it_is_open_again() -> None:
    closed = event("05", "add", **OTHER), event("06", "close"), event("07", "update")
    assert reasons(*closed, event("08", "open")) == ["reopened"]


def test_a_posting_that_was_there_before_the_search_alerts_because_of_the_search() -> None:
    made = path()
    made.push(read([row("05")]))
    (alert,) = made.subscribe([SEARCH])
    assert alert.reason is Reason.SEARCH


def test_events_of_one_batch_give_the_reason_that_counts() -> None:
    made = path(SEARCH)
    made.push(read([event("05", "add", **OTHER), event("06", "update")]))
    made.push(read([event("07", "close"), event("08", "open"), event("09", "update", salary="12")]))
    assert [alert.reason.value for alert in made.report.alerts] == ["new", "reopened"]


def test_an_alert_keeps_its_reason_on_the_wire() -> None:
    made = path(SEARCH)
    made.push(read([row("05")]))
    (alert,) = made.report.alerts
    assert decode(Alert, encode(alert)).reason is Reason.NEW
