"""`nearline summarize` reads postings or plain text, and shows what was kept."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from nearline.cli.summarize import Shortened, open_shorten, read, show
from nearline.shown import marked
from schemas.errors import ConfigError, EventError
from schemas.records import Posting


def test_json_lines_are_postings_and_anything_else_is_one_text(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    posting = {"id": "a", "title": "Nurse", "description": "Nights.", "posted_at": "2026-01-01"}
    events.write_text(json.dumps(posting) + "\n")
    assert [(one.title, one.description) for one in read(str(events))] == [("Nurse", "Nights.")]
    plain = tmp_path / "plain.txt"
    plain.write_text("We look for a nurse.\nNights.")
    assert list(read(str(plain), "Nurse")) == [
        Posting(title="Nurse", description="We look for a nurse.\nNights.")
    ]
    events.write_text('{"id": ')
    with pytest.raises(EventError, match="line 1"):
        list(read(str(events)))


def test_kept_phrases_are_in_brackets_where_there_are_no_colours() -> None:
    made = Shortened(
        text="a nurse; nights", summary="nights", text_tokens=4, summary_tokens=1, kept=((9, 15),)
    )
    assert marked(made.text, made.kept, bracketed=True).plain == "a nurse; ⟦nights⟧"
    assert marked(made.text, made.kept, bracketed=False).plain == "a nurse; nights"
    console = Console(record=True, width=80)
    show(Posting(title="[red]Nurse"), made, console)
    shown = console.export_text()
    assert "[red]Nurse" in shown
    assert "4 tokens before, 1 after: 75.0% taken away" in shown


def test_first_words_need_no_model() -> None:
    made = open_shorten("instant")(Posting(title="Nurse", description="word " * 40))
    assert (made.text_tokens, made.summary_tokens, made.unit) == (40, 24, "words")


def test_a_name_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="give a checkpoint directory"):
        open_shorten("no-such-summarizer")
