"""The general lexicon and what is held out of training in every domain."""

import re
from itertools import islice

import pytest

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.drawing import Domain
from training.judging.postings import PostingRow
from training.rules.corpus import Corpus
from training.rules.evidence import evidence
from training.rules.lexicon.entries import DOMAINS, check_one_owner, lexicon
from training.rules.queries import NEGATED, asks
from training.rules.teacher import Needs, RuleTeacher

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


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Chef de Partie, Food Pub", "bartender"),
        ("Superintendent of Water and Sewer Systems", "tailor"),
        ("Cisco Presales, 60k Package", "production_worker"),
        ("Lifeguard", "security_guard"),
        ("Pensions Administrator", "admin_assistant"),
    ],
)
def test_titles_that_hold_a_word_in_another_sense_do_not_name_an_occupation(title: str, key: str) -> None:
    assert key not in evidence(posting(title, ""), GENERAL).occupations


@pytest.mark.parametrize(
    ("wording", "title", "text", "grade"),
    [
        ("radiographer", "CT Radiographer", "", 4),
        ("radiographer", "Clinical Psychologist", "", 2),
        ("radiographer", "Band 6 Therapist", "", 3),
        ("radiographer", "Band 6 Therapist", "You are a radiographer.", 4),
        ("therapist", "Clinical Psychologist", "", 4),
    ],
)
def test_a_wording_of_one_kind_of_an_occupation_asks_for_that_kind(
    wording: str, title: str, text: str, grade: int
) -> None:
    needs = Needs(occupation="therapist", wording=wording)
    verdict = RuleTeacher(GENERAL).judge(needs, posting(title, text))
    assert verdict is not None
    assert verdict.grades["occupation"] == grade


@pytest.mark.parametrize(
    ("text", "grade"),
    [("Night shifts.", 1), ("There are no night shifts.", 4), ("A fine bar.", 3)],
)
def test_what_must_not_be_is_graded_by_what_the_posting_says_of_it(text: str, grade: int) -> None:
    needs = Needs(occupation="waiter", without="nights")
    verdict = RuleTeacher(GENERAL).judge(needs, posting("Waiter", text))
    assert verdict is not None
    assert verdict.grades["constraints"] == grade


def test_each_kind_parts_wordings_of_its_entry() -> None:
    idle = [
        (domain, key)
        for domain in DOMAINS
        for key, one in lexicon(domain).occupations.items()
        if one.kinds and not any(kind.search(w.lower()) for kind in one.kinds for w in one.wordings)
    ]
    assert idle == []


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
    return [not kept.isdisjoint({d.needs.occupation, *d.needs.facets, d.needs.without}) for d in drawn]


def test_training_queries_ask_for_nothing_held_out_and_test_queries_as_told() -> None:
    assert not any(held(corpus("train"), 100, "any"))
    assert not any(held(corpus("test"), 100, "trained"))
    assert all(held(corpus("test"), 100, "held-out"))
    assert len(set(held(corpus("test"), 100, "any"))) == 2


def test_test_queries_ask_for_work_without_something_and_training_queries_do_not() -> None:
    drawn = list(islice(asks(corpus("test"), 1), 200))
    without = [d for d in drawn if d.needs.without]
    assert 5 < len(without) < 60
    for one in without:
        assert NEGATED in one.ask.strata
        assert re.search(r"\b(?:no|not|without)\b", one.ask.query.lower())
        assert one.needs.without not in one.needs.facets
        assert Needs.from_json(one.ask, GENERAL) == one.needs
    assert not any(d.needs.without for d in islice(asks(corpus("train"), 1), 200))


def test_training_queries_cannot_ask_for_what_is_held_out() -> None:
    with pytest.raises(ConfigError, match="train split never ask"):
        next(asks(corpus("train"), 1, "held-out"))
