"""`nearline search`: what it asks of the service, and what a person sees of the answer."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from nearline.cli.app import app
from nearline.cli.search import _fields, show
from nearline.stack.tools import free_port
from schemas.errors import ConfigError

RESULT = {
    "place": 1,
    "posting_id": "p1",
    "title": "Night nurse [b]",
    "company": "Acme",
    "location": "Leeds",
    "employment_type": None,
    "p_yes": 0.91,
    "reasons": ["the ranker's p_yes is 0.91", "place 1 by words: nurs"],
}
ANSWER: dict[str, Any] = {
    "understood": [{"name": "location", "value": "Leeds", "words": "near Leeds"}],
    "notes": ["a note"],
    "missing": ["embedder: found by words alone (down)"],
    "results": [RESULT, RESULT | {"place": 2, "p_yes": None}],
    "total": 12,
    "passing": 40,
    "postings": 90,
    "cursor": "abc.2",
    "took_ms": {"retrieve": 5.0, "score": 20.0},
}


def test_an_answer_shows_what_was_understood_what_is_missing_and_why_each_result_is_there() -> None:
    out = StringIO()
    show(ANSWER, Console(file=out, width=200, emoji=False))
    text = out.getvalue()
    for line in (
        "understood location: Leeds (from near Leeds)",
        "a note",
        "embedder: found by words alone (down)",
        "1  0.910  Night nurse [b]  Acme, Leeds",
        "p1: the ranker's p_yes is 0.91; place 1 by words: nurs",
        "2 of 12 ranked, 40 of 90 open postings pass the filters; 25 ms",
        "next page: --cursor abc.2",
    ):
        assert line in text


def test_fields_are_set_by_name_and_must_nots_add_up() -> None:
    assert _fields(["location=Leeds", "must_not=weekends", "must_not=nights"]) == {
        "location": ["Leeds"],
        "must_not": ["weekends", "nights"],
    }
    with pytest.raises(ConfigError, match="give NAME=VALUE"):
        _fields(["location"])


def test_without_a_service_the_command_says_how_to_start_one() -> None:
    done = CliRunner().invoke(app, ["search", "nurse", "--url", f"http://127.0.0.1:{free_port()}"])
    assert done.exit_code == 1
    assert "`nearline up` starts one" in str(done.exception)
