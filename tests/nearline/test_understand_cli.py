"""`nearline understand` and `nearline searches`: what they print, send and refuse."""

import json

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError, EventError
from schemas.events import parse_search

RUNNER = CliRunner()
TEXT = "part-time barista near Leeds, no weekends"


def test_what_is_understood_is_shown_beside_its_words() -> None:
    shown = RUNNER.invoke(
        app, ["understand", TEXT, "--drop", "location", "--set", "pay_from=£12 an hour"]
    ).output
    assert "must_not" in shown
    assert "no weekends" in shown
    assert "set by hand" in shown
    assert "looked for: barista near Leeds" in shown


def test_the_json_is_a_line_of_a_file_of_searches() -> None:
    search = parse_search(json.loads(RUNNER.invoke(app, ["understand", TEXT, "--json"]).output))
    assert (search.query, search.location, search.must_not) == ("barista", "Leeds", ("weekends",))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (["--drop", "place"], ConfigError, "names no part"),
        (["--set", "location"], ConfigError, "give NAME=VALUE"),
        (["--set", "pay_from=good"], EventError, "names no amount"),
    ],
)
def test_a_wrong_correction_is_refused(options: list[str], error: type[Exception], said: str) -> None:
    result = RUNNER.invoke(app, ["understand", TEXT, *options])
    assert isinstance(result.exception, error)
    assert said in str(result.exception)


def test_a_search_that_asks_for_nothing_is_not_subscribed() -> None:
    result = RUNNER.invoke(app, ["searches", "add", "any job", "--bootstrap", "localhost:9"])
    assert isinstance(result.exception, ConfigError)
    assert "would match every posting" in str(result.exception)
