"""The general lexicon and what is held out of training in every domain."""

from itertools import islice

import pytest

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.drawing import Domain
from training.judging.postings import PostingRow
from training.rules.corpus import Corpus
from training.rules.evidence import evidence
from training.rules.lexicon.entries import DOMAINS, check_one_owner, lexicon
from training.rules.queries import asks

GENERAL = lexicon("general")


def posting(title: str, text: str, number: int = 1) -> PostingRow:
    item = Item(title=title, text=text, company=None, location=None, employment_type=None, remote=None)
    return PostingRow(posting_id=f"p{number}", item=item, posted_at=None, source=None)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("weekends", "Weekend work is required.", 1),
        ("no_weekends", "Weekend work is required.", -1),
        ("no_weekends", "No nights or weekends.", 1),
        ("weekends", "No weekends.", -1),
        ("no_experience", "No experience necessary, full training given.", 1),
        ("no_experience", "Minimum of three years required.", -1),
        ("home_daily", "Local routes, home every day.", 1),
        ("home_daily", "Over-the-road work, two weeks out.", -1),
        ("no_local_language", "No Dutch required.", 1),
        ("driving_licence", "A full driving licence is needed.", 1),
        ("own_vehicle", "No car is needed.", -1),
        ("commission", "The Commissioner decides.", 0),
        ("nights", "There are no night shifts.", -1),
    ],
)
def test_general_facets_are_stated_denied_or_open(key: str, text: str, expected: int) -> None:
    found = evidence(posting("Worker", text), GENERAL)
    assert (key in found.stated) - (key in found.denied) == expected


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("CDL Driver - Coal Valley", "truck_driver"),
        ("Barista", "barista"),
        ("Crane Operator", "crane_operator"),
        ("Pet Groomer", "animal_care"),
        ("Chef de Partie", "chef"),
        ("Security Officer", "security_guard"),
        ("High Quality Hotel Head Chef", "head_chef"),
        ("Licensed Electrician", "electrician"),
    ],
)
def test_titles_name_their_occupation(title: str, key: str) -> None:
    assert key in evidence(posting(title, ""), GENERAL).occupations
    assert "quality_inspector" not in evidence(posting(title, ""), GENERAL).occupations


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_holds_out_occupations_and_facets(domain: Domain) -> None:
    words = lexicon(domain)
    assert len(words.test_only()) >= 7
    assert len(words.test_only_facets()) >= 12
    assert words.test_only().isdisjoint(words.training_wordings())
    assert words.test_only_facets().isdisjoint(words.training_phrases())


def test_a_phrase_of_two_entries_is_named() -> None:
    with pytest.raises(ConfigError, match="'Night work' belongs to late and to nights"):
        check_one_owner("general", {"late": ["night work"], "nights": ["Night work"]})


TITLES = ("Barista", "Cleaner", "Truck Driver", "Waiter")


def corpus(split: str) -> Corpus:
    texts = ("No weekends. Tips.", "Evening work.", "A pension. Night shifts.", "Uniform provided.")
    rows = [posting(TITLES[n % 4], texts[n // 4 % 4], n) for n in range(80)]
    found = {row.posting_id: evidence(row, GENERAL) for row in rows}
    return Corpus.of(split, GENERAL, rows, found)  # type: ignore[arg-type]


def held(needs_of: Corpus, count: int, asked: str) -> list[bool]:
    kept = GENERAL.test_only() | GENERAL.test_only_facets()
    drawn = islice(asks(needs_of, 1, asked), count)  # type: ignore[arg-type]
    return [not kept.isdisjoint({d.needs.occupation, *d.needs.facets}) for d in drawn]


def test_training_queries_ask_for_nothing_held_out_and_test_queries_as_told() -> None:
    assert not any(held(corpus("train"), 100, "any"))
    assert not any(held(corpus("test"), 100, "trained"))
    assert all(held(corpus("test"), 100, "held-out"))
    assert len(set(held(corpus("test"), 100, "any"))) == 2


def test_training_queries_cannot_ask_for_what_is_held_out() -> None:
    with pytest.raises(ConfigError, match="train split never ask"):
        next(asks(corpus("train"), 1, "held-out"))
