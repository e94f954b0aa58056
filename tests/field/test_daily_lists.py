"""A plain list says what is open: sent again each day, it begins no opening where one lasts."""

import itertools
import random
from typing import Any

import pytest

from schemas.records import Outcome, PostingUpdate, State
from tests.field.lists import SEARCH, event, path, read, row
from tests.schemas.histories import fold


def outcomes(*files: list[dict[str, Any]]) -> tuple[list[Outcome], int]:
    """The outcomes of files sent one after the other, and how many alerts went out."""
    made = path(SEARCH)
    found = [made.push([update])[0].outcome for lines in files for update in read(lines)]
    return found, len(made.report.alerts)


def test_a_list_sent_again_with_a_new_time_changes_nothing_and_alerts_nobody_again() -> None:
    days = [[row(f"{day:02}")] for day in range(5, 15)]
    assert outcomes(*days) == ([Outcome.SUMMARIZED, *[Outcome.UNCHANGED] * 9], 1)


def test_the_same_list_on_another_day_in_another_order_alerts_once() -> None:
    for days in itertools.permutations(["05", "06", "07"]):
        found, alerts = outcomes(*[[row(day)] for day in days])
        assert (found[0], alerts) == (Outcome.SUMMARIZED, 1)
        assert set(found[1:]) <= {Outcome.UNCHANGED, Outcome.STALE}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"salary": "12 an hour"}, Outcome.METADATA_ONLY),
        ({"title": "Ward nurse, nights"}, Outcome.SUMMARIZED),
        ({"updated_at": None, "posted_at": "2024-03-06"}, Outcome.UNCHANGED),
        ({"updated_at": "2024-03-05T10:00:00+01:00"}, Outcome.UNCHANGED),
        ({"updated_at": None}, Outcome.STALE),
    ],
)
def test_an_edit_that_a_list_brings_is_an_edit(change: dict[str, Any], outcome: Outcome) -> None:
    assert outcomes([row("05")], [row("06", **change)]) == ([Outcome.SUMMARIZED, outcome], 1)


@pytest.mark.parametrize("op", ["close", "remove"])
def test_a_posting_that_was_closed_and_is_listed_again_begins_an_opening_and_alerts_again(op: str) -> None:
    again = Outcome.REOPENED if op == "close" else Outcome.SUMMARIZED
    days = [row("05")], [event("06", op)], [row("07")], [row("08")]
    assert outcomes(*days) == ([Outcome.SUMMARIZED, Outcome(f"{op}d"), again, Outcome.UNCHANGED], 2)


def test_a_row_from_before_the_close_does_not_open_the_posting() -> None:
    found, alerts = outcomes([row("05")], [event("08", "close")], [row("07")])
    assert (found[-1], alerts) == (Outcome.UNCHANGED, 1)


@pytest.mark.parametrize("op", ["add", "open", "repost"])
def test_a_posting_that_a_stream_opened_stays_in_its_opening_when_a_list_has_it(op: str) -> None:
    before = [event("03", "add")], [event("04", "close")]
    assert outcomes(*before, [event("05", op)], [row("06")], [row("07")])[1] == (1 if op == "repost" else 2)


def test_an_add_that_begins_an_opening_is_reopened_though_it_repeats_the_content() -> None:
    found, alerts = outcomes([event("05", "add")], [event("06", "close")], [event("07", "add")])
    assert (found, alerts) == ([Outcome.SUMMARIZED, Outcome.CLOSED, Outcome.REOPENED], 2)


HISTORY = [
    row("05"),
    row("06"),
    event("06", "close"),
    row("07"),
    event("08", "repost"),
    row("09", salary="12"),
    event("10", "remove"),
    row("11", title="Ward nurse, days"),
    event("12", "update", title="Ward nurse, late"),
    row("13"),
]


def test_any_order_and_any_repetition_of_lists_and_events_end_in_the_same_record() -> None:
    history = [update for update in read(HISTORY) if isinstance(update, PostingUpdate)]
    expected = fold(history)[0]
    rng = random.Random(15)
    for _ in range(300):
        again = [*history, *rng.choices(history, k=5)]
        rng.shuffle(again)
        assert fold(again)[0] == expected
    assert expected.state is State.OPEN
    assert expected.episode == expected.ended_version + 1


def test_every_order_of_a_short_history_ends_in_the_same_record() -> None:
    history = [update for update in read(HISTORY[:6]) if isinstance(update, PostingUpdate)]
    ends = {fold(order)[0] for order in itertools.permutations(history)}
    assert len(ends) == 1


def test_a_row_of_a_list_and_an_add_event_stay_different_on_their_way_to_the_feature_job() -> None:
    listed, added = read([row("05"), event("05", "add")])
    assert isinstance(listed, PostingUpdate)
    assert isinstance(added, PostingUpdate)
    assert (listed.as_of, added.as_of) == (listed.version, -1)
