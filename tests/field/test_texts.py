"""Feeds send HTML, escaped HTML and invisible characters: a posting is matched and scored by what a reader sees."""

from dataclasses import replace
from typing import Any

import pytest

from models.prompts import Item, item_text, summarizer_input
from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer
from pipeline.match import passes
from pipeline.percolation.percolator import Percolator
from pipeline.refresh import Refresher, is_old
from pipeline.scoring.items import item_of
from schemas.clean import TEXT_RULES
from schemas.events import parse_row, parse_search
from schemas.keys import text_hash
from schemas.merge import merge
from schemas.records import FeatureRecord, Op, Outcome, Posting, SavedSearch
from storage.features import FeatureStore, FeatureWrite, RawText
from tests.pipeline.builders import memory_kv, rows, update

PLAIN = "Ward cook wanted for Sundays; children’s kitchen in Hull."
OFFICE = "<!--[if gte mso 9]><xml><w:View>Normal</w:View></xml><![endif]-->"
WRITTEN = [
    f"<p>{PLAIN}</p>",
    f"<style>{'li.MsoNormal {margin:0cm; font-size:11pt} ' * 400}</style><p>{PLAIN}</p>",
    f"{OFFICE}<div class='intro'>W<b>ard</b> c<wbr>ook wanted for Sundays;<br>children&rsquo;s kitchen in Hull.</div>",
    "&lt;p&gt;Ward&amp;nbsp;cook wanted for Sundays; children&amp;#8217;s kitchen in Hull.&lt;/p&gt;",
    PLAIN.replace("cook", "co\u00adok")
    .replace("Hull", "\u200bHull\u200b\ufeff")
    .replace("Ward ", "W\x00ard\u00a0"),
    f"<p>{PLAIN}</p><div style='display:none'>night nurse</div><span hidden>plumber</span>",
]


def record_of(**posting: Any) -> FeatureRecord:
    """The record that a posting leaves in an empty store."""
    event = parse_row({"op": "add", "id": "p", "ts": "2024-05-01T10:00:00Z", "posting": posting})
    _, store = memory_kv()
    Featurizer(store, InstantSummarizer()).featurize(
        rows([update("p", event.instant_us, Op.ADD, event.posting)])
    )
    (record,) = store.get_many(["p"])
    assert record is not None
    return record


def finds(query: str, **posting: Any) -> bool:
    return passes(parse_search({"id": "s", "query": query}), record_of(**posting))


@pytest.mark.parametrize("written", WRITTEN)
def test_one_text_has_one_hash_one_summary_and_one_prompt_however_it_is_marked_up(written: str) -> None:
    record, plain = (record_of(title="Join us", description=text) for text in (written, PLAIN))
    assert (record.input_hash, record.summary) == (plain.input_hash, plain.summary)
    assert item_text(item_of(record)) == item_text(item_of(plain))
    items = [Item(**dict.fromkeys(("company", "location", "employment_type", "remote")), title="x", text=text)
             for text in (written, PLAIN)]  # fmt: skip
    assert item_text(items[0]) == item_text(items[1])


@pytest.mark.parametrize("written", WRITTEN)
def test_words_of_markup_and_hidden_words_are_not_found(written: str) -> None:
    assert finds("ward cook", title="Join us", description=written)
    for query in ("style margin", "strong div", "night nurse", "plumber", "nbsp 8217"):
        assert not finds(query, title="Join us", description=written), query


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("Altenpfleger", "Alten\u00adpfleger"),
        ("baker", "Ba\u200bker"),
        ("plumber", "Plum\x00ber"),
        ("boulangere", "Boulangère"),
        ("Bäcker", "BACKER"),
        ("strasse", "Straßenbau Straße"),
        ("welder", "𝗪𝗲𝗹𝗱𝗲𝗿"),
        ("fitter", "ﬁtter"),
        ("R&D engineer", "R&amp;D Engineer"),
        ("chef", "<b>Chef</b>"),
    ],
)
def test_a_title_is_found_by_the_words_that_a_reader_sees(query: str, title: str) -> None:
    assert finds(query, title=title, description="x")
    assert finds(title, title=query, description="x")


def test_every_field_of_the_record_is_clean() -> None:
    dirty = "<b>Caf\u00e9\u00a0Nord\u200b</b> &amp; Co"
    record = record_of(title=dirty, company=dirty, location=dirty, description=f"<p>{dirty}")
    assert {record.title, record.company, record.location, record.summary} == {"Café Nord & Co"}


def test_an_update_that_came_as_avro_is_cleaned_too_and_its_text_stays_raw() -> None:
    _, store = memory_kv()
    posting = Posting(title="N\u00adight &amp; day", company="\u200b", description="<p>raw</p>")
    Featurizer(store, InstantSummarizer()).featurize(rows([update("p", 1, Op.ADD, posting)]))
    (record,), (text,) = store.get_many(["p"]), store.texts(["p"])
    assert record is not None
    assert text is not None
    assert (record.title, record.company, text.description) == ("Night & day", None, "<p>raw</p>")


@pytest.mark.parametrize(
    "markup", ["<p>&nbsp;</p>", "<style>p{}</style>", "\u200b\u200b", "<!-- x -->", "<div hidden>x</div>"]
)
def test_a_description_that_shows_nothing_needs_no_summary(markup: str) -> None:
    record = record_of(title="Cook", description=markup)
    assert (record.summary, record.model, record.summary_hash) == ("", "", record.input_hash)
    assert "Text" not in item_text(item_of(record))


def older(store: FeatureStore, description: str) -> FeatureRecord:
    """A record as the store has it from before: texts uncleaned, a summary of the raw text."""
    raw_hash = text_hash(f"Title: Co\u200bok\nText: {description}")
    record = FeatureRecord(
        posting_id="p", version=5, lifecycle_version=5, episode=5, content_version=5, content_hash=b"c" * 16,
        title="Co\u200bok", company="", input_hash=raw_hash, summary_version=5, summary_hash=raw_hash,
        summary="p raw p", summary_tokens=3, input_tokens=9, model="instant@1", generation=1,
    )  # fmt: skip
    text = RawText(content_version=5, content_hash=b"c" * 16, description=description)
    store.merge_many([FeatureWrite(posting_id="p", seen=None, record=record, text=text)])
    return record


@pytest.mark.parametrize(
    ("description", "summary", "model"), [("<p>raw</p>", "raw", "instant@1"), ("<br>", "", "")]
)
def test_a_refresh_cleans_what_older_rules_stored_and_summarizes_it_anew(
    description: str, summary: str, model: str
) -> None:
    _, store = memory_kv()
    assert is_old(older(store, description), 1)
    made = Refresher(store, InstantSummarizer(), deadline_s=1.0).refresh(["p"], 1)["p"]
    assert isinstance(made, FeatureRecord)
    assert (made.title, made.company, made.summary, made.model) == ("Cook", None, summary, model)
    assert made.input_hash == made.summary_hash == text_hash(summarizer_input("Cook", description))
    assert not is_old(made, 1)


def test_a_refresh_keeps_the_summary_where_cleaning_changes_nothing() -> None:
    _, store = memory_kv()
    record, clean_hash = older(store, "raw"), text_hash(summarizer_input("Cook", "raw"))
    record = replace(
        record, title="Cook", input_hash=clean_hash, summary_hash=clean_hash, content_hash=b"d" * 16
    )
    text = RawText(content_version=5, content_hash=b"d" * 16, description="raw")
    store.merge_many([FeatureWrite(posting_id="p", seen=None, record=record, text=text)])
    made = Refresher(store, InstantSummarizer("instant@1"), deadline_s=1.0).refresh(["p"], 1)["p"]
    assert isinstance(made, FeatureRecord)
    assert (made.summary, made.text_rules) == ("p raw p", TEXT_RULES)


def test_the_same_event_again_replaces_what_older_rules_stored_whatever_its_hash() -> None:
    _, store = memory_kv()
    for content_hash in (b"\x00" * 16, b"\xff" * 16):
        old = replace(older(store, "<p>raw</p>"), content_hash=content_hash)
        new = replace(record_of(title="Cook", description="<p>raw</p>"), content_version=5, version=5)
        new = replace(new, lifecycle_version=5, episode=5, summary_version=5)
        assert merge(old, new).title == merge(new, old).title == "Cook"


def test_a_stream_that_brings_a_stored_posting_again_summarizes_it_anew() -> None:
    _, store = memory_kv()
    older(store, "<p>raw</p>")
    (row,) = Featurizer(store, InstantSummarizer()).featurize(
        rows([update("p", 5, Op.ADD, Posting(title="Cook", description="<p>raw</p>"))])
    )
    (record,) = store.get_many(["p"])
    assert row.outcome is Outcome.SUMMARIZED
    assert record is not None
    assert (record.title, record.summary) == ("Cook", "raw")


def test_the_index_and_the_plain_definition_find_a_query_that_was_escaped() -> None:
    matcher = Percolator()
    matcher.put_search(SavedSearch(search_id="s", query="caf&eacute; cr\u00e8me"))
    assert [
        s.search_id
        for found in matcher.match_many([record_of(title="Cafe creme", description="x")])
        for s in found.searches()
    ] == ["s"]
