"""`nearline replay --full-export`: what the list of all open postings lacks is closed, within bounds."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nearline.cli.app import app
from pipeline.full_export import FullExport, plan
from pipeline.local import LocalPath
from schemas.errors import ConfigError, EventError
from schemas.events import NumberedEvents
from schemas.records import Outcome, State
from tests.field.lists import SEARCH, event, path, read, row

DAY = 86_400_000_000
MARCH_5 = 1_709_629_200_000_000
"""2024-03-05T09:00:00Z, the time of `row("05")`."""


def export(made: LocalPath, day: int, lines: list[dict[str, Any]], **settings: Any) -> list[Outcome]:
    """Send a full export that was made on that day of March at 10 o'clock; the outcomes."""
    of = FullExport(as_of=MARCH_5 + (day - 5) * DAY + DAY // 24, **settings)
    planned = plan(numbered(lines), made.features.scan, of)
    return [made.push([update])[0].outcome for _, update in planned.updates(numbered(lines))]


def numbered(lines: list[dict[str, Any]]) -> NumberedEvents:
    return iter(enumerate(read(lines), start=1))


def states(made: LocalPath) -> dict[str, str]:
    return {record.posting_id: record.state.value for record in made.features.scan()}


def test_what_a_full_export_lacks_is_closed_and_what_it_lists_stays_open() -> None:
    made = path(SEARCH)
    export(made, 5, [row("05", "a"), row("05", "b")])
    assert export(made, 6, [row("06", "a")]) == [Outcome.UNCHANGED, Outcome.CLOSED]
    assert states(made) == {"a": "open", "b": "closed"}
    assert len(made.report.alerts) == 2


def test_a_posting_that_is_back_in_the_export_opens_anew_though_nobody_edited_it() -> None:
    made = path(SEARCH)
    both = [row("01", "a"), row("01", "b")]
    export(made, 5, both)
    export(made, 6, both[:1])
    assert export(made, 7, both) == [Outcome.UNCHANGED, Outcome.REOPENED]
    assert [alert.posting_id for alert in made.report.alerts] == ["a", "b", "b"]
    assert export(made, 8, both) == [Outcome.UNCHANGED, Outcome.UNCHANGED]


def test_rows_without_any_time_are_open_as_of_the_export() -> None:
    made = path()
    timeless = [row("01", name, updated_at=None) for name in "ab"]
    export(made, 5, timeless)
    export(made, 6, timeless[:1])
    assert states(made) == {"a": "open", "b": "closed"}
    export(made, 7, timeless)
    assert states(made) == {"a": "open", "b": "open"}


def test_the_same_exports_sent_again_in_any_order_change_nothing_more() -> None:
    made = path(SEARCH)
    days = {5: [row("05", "a"), row("05", "b")], 6: [row("06", "a")], 7: [row("07", "a"), row("07", "b")]}
    for day, lines in days.items():
        export(made, day, lines)
    held, alerts = list(made.features.scan()), len(made.report.alerts)
    for day in (6, 5, 7, 6):
        export(made, day, days[day])
    assert (list(made.features.scan()), len(made.report.alerts)) == (held, alerts)


def test_a_posting_that_opened_after_the_export_was_made_stays_open() -> None:
    made = path()
    made.push(read([event("06", "add", "late"), event("05", "add", "early")]))
    of = FullExport(as_of=MARCH_5 + DAY // 2)
    planned = plan(numbered([row("05", "a")]), made.features.scan, of)
    assert (planned.missing, planned.newer) == (["early"], 1)


def test_a_closed_or_removed_posting_is_not_closed_again() -> None:
    made = path()
    made.push(read([row("04", "a"), event("04", "close", "a"), row("04", "b"), event("04", "remove", "b")]))
    assert export(made, 6, [row("06", "c")]) == [Outcome.SUMMARIZED]


def catalog(count: int) -> list[dict[str, Any]]:
    return [row("05", f"p{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("stored", "listed", "settings"),
    [
        (20, 15, {}),
        (20, 0, {}),
        (1, 0, {}),
        (20, 19, {"close_at_most": 0.0}),
        (40, 20, {"close_at_most": 0.4}),
    ],
)
def test_an_export_that_would_close_too_much_sends_nothing(
    stored: int, listed: int, settings: dict[str, Any]
) -> None:
    if settings.get("close_at_most") == 0.0:
        stored, listed = 20, 16  # the few that are always allowed are not enough here
    made = path()
    made.replay(read(catalog(stored)))
    with pytest.raises(ConfigError, match=f"would close {stored - listed} of {stored} open ones"):
        export(made, 6, catalog(listed), **settings)
    assert set(states(made).values()) == {"open"}


@pytest.mark.parametrize(
    ("stored", "listed", "settings"),
    [(20, 16, {}), (2, 1, {}), (4, 1, {}), (20, 5, {"close_at_most": 0.75}), (20, 0, {"close_at_most": 1.0})],
)
def test_an_export_closes_as_much_as_it_is_allowed_to(
    stored: int, listed: int, settings: dict[str, Any]
) -> None:
    made = path()
    made.replay(read(catalog(stored)))
    export(made, 6, catalog(listed), **settings)
    assert sum(state == "open" for state in states(made).values()) == listed


def test_a_row_that_cannot_be_used_still_lists_its_posting() -> None:
    made = path()
    made.replay(read([row("05", "a"), row("05", "b")]))
    export(made, 6, [row("06", "a"), row("06", "b", title=None, description=None)])
    assert states(made) == {"a": "open", "b": "open"}


@pytest.mark.parametrize("broken", [{"title": "no id"}, {"id": None, "title": "Nurse"}])
def test_a_row_whose_posting_cannot_be_told_closes_nothing(broken: dict[str, Any]) -> None:
    made = path()
    with pytest.raises(EventError, match=r"line 2 cannot be read.*without --full-export"):
        plan(numbered([row("06", "a"), broken]), made.features.scan, FullExport(as_of=MARCH_5))


def test_a_file_of_events_is_no_full_export() -> None:
    with pytest.raises(EventError, match=r"line 2 is an event \(close of 'w-1'\)"):
        plan(numbered([row("05"), event("06", "close")]), list, FullExport(as_of=MARCH_5))


def test_only_postings_of_the_exports_own_source_are_closed() -> None:
    made = path()
    made.replay(read([row("05", "jobs:a"), row("05", "jobs:b"), row("05", "other:a")]))
    export(made, 6, [row("06", "jobs:a")], id_prefix="jobs:")
    assert states(made) == {"jobs:a": "open", "jobs:b": "closed", "other:a": "open"}


def test_only_postings_of_sources_that_the_export_names_are_closed() -> None:
    made = path()
    made.replay(read([row("05", "jobs:a"), row("05", "jobs:b"), row("05", "other:a"), row("05", "c")]))
    export(made, 6, [row("06", "jobs:a")], of_sources=True)
    assert states(made) == {"jobs:a": "open", "jobs:b": "closed", "other:a": "open", "c": "open"}


def test_a_closing_is_an_event_like_any_other() -> None:
    made = path()
    export(made, 5, [row("05", "a"), row("05", "b")])
    export(made, 6, [row("06", "a")])
    (closed,) = [record for record in made.features.scan() if record.state is State.CLOSED]
    assert closed.ended_version == closed.version == MARCH_5 + DAY + DAY // 24


def replay(file: Path, lines: list[dict[str, Any]], store: Path, *given: str) -> Result:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return CliRunner().invoke(
        app, ["replay", str(file), "--in-process", "--store", f"lmdb://{store}?map_size=1M", *given]
    )


def test_the_command_says_what_it_closes(tmp_path: Path) -> None:
    both = [row("05", "a"), row("05", "b")]
    assert replay(tmp_path / "day1.jsonl", both, tmp_path / "store").exit_code == 0
    result = replay(tmp_path / "day2.jsonl", both[:1], tmp_path / "store", "--full-export")
    assert result.exit_code == 0, result.output
    assert "1 postings listed; of 2 open ones 1 are missing and are closed" in result.output
    assert "unchanged 1   closed 1" in result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--as-of", "2024-03-05"], "give --full-export with it"),
        (["--full-export", "--as-of", "2999-01-01"], "in the future"),
        (["--full-export", "--as-of", "noon"], "--as-of"),
        (["--full-export", "--close-at-most", "20"], "a share from 0 to 1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, given: list[str], message: str) -> None:
    result = replay(tmp_path / "day.jsonl", [row("05")], tmp_path / "store", *given)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
