"""What the rules find in texts, and how they grade it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.drawing import Domain
from training.judging.postings import PostingRow
from training.judging.records import Ask
from training.rules.evidence import Evidence, evidence, facet_in
from training.rules.lexicon.entries import DOMAINS, RuleFacet, held_out, lexicon
from training.rules.places import names, place_of
from training.rules.prefilter import literals_of, search
from training.rules.teacher import (
    Needs,
    RuleTeacher,
    constraints_grade,
    occupation_grade,
    requirements_grade,
)

HEALTH, TECHNOLOGY = lexicon("health"), lexicon("technology")
FACETS = [facet for words in (HEALTH, TECHNOLOGY) for facet in words.facets.values()]


def posting(title: str, text: str, posting_id: str = "p", **fields: str | None) -> PostingRow:
    defaults: dict[str, str | None] = {
        "company": "Acme",
        "location": None,
        "employment_type": None,
        "remote": None,
    }
    item = Item(title=title, text=text, **(defaults | fields))
    return PostingRow(posting_id=posting_id, item=item, posted_at=None, source=None)


def says(key: str, text: str) -> int:
    return facet_in(TECHNOLOGY.facets[key], text, text.lower())[0]


@pytest.mark.parametrize(
    "negation",
    [
        "no {}",
        "without {}",
        "we do not need {}",
        "{} is not required",
        "{} not needed",
        "you don't need {}",
        "no need for {}",
    ],
)
@pytest.mark.parametrize("word", ["python", "docker", "kubernetes", "machine learning"])
def test_a_facet_inside_a_negation_is_denied(negation: str, word: str) -> None:
    key = {"kubernetes": "k8s", "machine learning": "machine_learning"}.get(word, word)
    assert says(key, f"We build things, {negation.format(word)}. Come and see.") == -1


@given(st.sampled_from(["python", "docker", "redis"]), st.text(alphabet="abcdefgh ,.\n", max_size=60))
def test_a_free_statement_outweighs_a_negated_one(key: str, between: str) -> None:
    assert says(key, f"no {key} at first.\n{between}.\nLater we use {key} daily") == 1


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("remote", "REMOTE ok", 1),
        ("remote", "San Francisco, no remote please", -1),
        ("remote", "Onsite only", -1),
        ("visa", "Visa sponsorship available", 1),
        ("visa", "Unfortunately we cannot sponsor visas", -1),
        ("visa", "Must have the right to work in the US", -1),
        ("equity", "salary and equity", 1),
        ("equity", "private equity fund software", 0),
        ("golang", "Services in Go, Python and React", 1),
        ("golang", "we go far, and go home early", 0),
        ("python", "not only python but rust", 1),
    ],
)
def test_technology_facets_are_stated_denied_or_open(key: str, text: str, expected: int) -> None:
    found = evidence(posting("Engineer", text), TECHNOLOGY)
    assert (key in found.stated) - (key in found.denied) == expected


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("driving", "A full driving licence is essential", 1),
        ("driving", "A driving licence is not essential", -1),
        ("permanent", "This is a fixed-term post for 12 months", -1),
        ("fixed_term", "This is a fixed-term post for 12 months", 1),
        ("nights", "There are no night shifts", -1),
        ("band_5", "Band 7 physiotherapist", -1),
        ("nmc", "You paint walls", 0),
        ("annual_leave", "You cover during annual leave", 0),
        ("annual_leave", "33 days of annual leave", 1),
        ("rotation", "Keep up stock rotation", 0),
        ("customer", "Serve at drinks receptions", 0),
        ("training", "We support your personal development", 1),
    ],
)
def test_health_facets_are_stated_denied_or_open(key: str, text: str, expected: int) -> None:
    found = evidence(posting("Nurse", text), HEALTH)
    assert (key in found.stated) - (key in found.denied) == expected


def test_the_employment_tag_of_health_postings_states_no_full_time_hours() -> None:
    assert (
        "full_time"
        not in evidence(posting("Nurse", "20 hours a week", employment_type="full-time"), HEALTH).stated
    )


@given(st.sampled_from(FACETS), st.text(max_size=200))
def test_the_prefilter_hides_no_match(facet: RuleFacet, text: str) -> None:
    for rule in (facet.stated, facet.denied):
        if rule:
            assert bool(search(rule, text)) == bool(rule.search(text))


@given(st.data(), st.sampled_from(FACETS))
def test_every_match_of_a_rule_passes_the_prefilter(data: st.DataObject, facet: RuleFacet) -> None:
    text = data.draw(st.from_regex(re.compile(facet.stated.pattern, re.ASCII)))
    assert bool(search(facet.stated, text)) == bool(facet.stated.search(text))


def test_the_prefilter_knows_alternatives_and_optional_parts() -> None:
    assert literals_of("nights?") == {"night"}
    assert literals_of("(?:abc|def)x?") == {"abc", "def"}
    assert literals_of(r"\d+") == frozenset()


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_entry_has_wordings_for_training_and_for_the_test(domain: Domain) -> None:
    words = lexicon(domain)
    groups = [f.phrases for f in words.facets.values()] + [o.wordings for o in words.occupations.values()]
    for group in groups:
        assert len(set(group)) == len(group) >= 4
        assert 0 < len(held_out(group)) < len(group) / 2


@pytest.mark.parametrize(
    ("location", "town"),
    [
        ("Leeds, GB", "leeds"),
        ("SF Bay Area", "san francisco"),
        ("NYC", "new york"),
        ("St James University Hospital, GB", None),
        ("Remote", None),
        ("", None),
        (None, None),
        ("Bury St. Edmunds, GB", "bury st edmunds"),
    ],
)
def test_the_town_of_a_location_is_found(location: str | None, town: str | None) -> None:
    assert place_of(location) == town
    assert town is None or names(location, town)


def found(*stated: str, denied: tuple[str, ...] = (), occupations: tuple[str, ...] = ("nurse",)) -> Evidence:
    return Evidence(
        stated=dict.fromkeys(stated, "s"),
        denied=dict.fromkeys(denied, "d"),
        occupations=occupations,
        head=(),
        place=None,
    )


SOFT, SOFT2, HARD = "teaching", "research", "permanent"


@pytest.mark.parametrize(
    ("asked", "says_so", "grade"),
    [
        ((), (), 4),
        ((SOFT,), (SOFT,), 4),
        ((SOFT,), (), 1),
        ((SOFT, SOFT2), (SOFT,), 3),
        ((SOFT, HARD), (SOFT,), 2),
        ((SOFT, HARD), (HARD,), 3),
        ((SOFT, SOFT2), (), 1),
        ((SOFT, SOFT2, HARD), (HARD,), 1),
        ((SOFT, SOFT2, HARD), (SOFT, HARD), 3),
    ],
)
def test_requirements_are_graded_by_what_is_stated(
    asked: tuple[str, ...], says_so: tuple[str, ...], grade: int
) -> None:
    assert requirements_grade(asked, found(*says_so), HEALTH) == grade


@pytest.mark.parametrize(
    ("denied", "place", "grade"),
    [((), True, 4), ((), False, 2), ((HARD,), True, 1), ((HARD,), False, 1), ((SOFT,), True, 4)],
)
def test_constraints_are_graded_by_contradictions(denied: tuple[str, ...], place: bool, grade: int) -> None:
    assert constraints_grade((HARD, SOFT), found(denied=denied), HEALTH, place_met=place) == grade


@pytest.mark.parametrize(
    ("asked", "named", "grade"),
    [
        ("mental_health_nurse", ("mental_health_nurse",), 4),
        ("nurse", ("mental_health_nurse",), 4),
        ("mental_health_nurse", ("nurse",), 2),
        ("community_nurse", ("practice_nurse",), 3),
        ("junior_doctor", ("medical_consultant",), 2),
        ("charge_nurse", ("nurse",), 2),
        ("carer", ("support_worker",), 3),
        ("dietitian", ("podiatrist",), 1),
        ("dietitian", ("porter",), 0),
        ("dietitian", (), None),
    ],
)
def test_occupations_are_graded_by_closeness(asked: str, named: tuple[str, ...], grade: int | None) -> None:
    assert occupation_grade(asked, found(occupations=named), HEALTH) == grade


def test_a_posting_whose_opening_names_the_occupation_is_left_unjudged() -> None:
    row = posting("Hospital Porter", "Join us as a staff nurse on our friendly ward.")
    assert RuleTeacher(HEALTH).judge(Needs(occupation="nurse"), row) is None


@given(st.sets(st.sampled_from([SOFT, SOFT2, HARD])), st.sets(st.sampled_from([SOFT, SOFT2, HARD])))
def test_a_denial_never_raises_a_grade(stated: set[str], denied: set[str]) -> None:
    asked = (SOFT, SOFT2, HARD)
    free, contradicted = found(*stated), found(*(stated - denied), denied=tuple(denied))
    assert requirements_grade(asked, contradicted, HEALTH) <= requirements_grade(asked, free, HEALTH)
    assert constraints_grade(asked, contradicted, HEALTH, place_met=True) <= constraints_grade(
        asked, free, HEALTH, place_met=True
    )


def test_the_place_is_met_off_or_unclear() -> None:
    teacher, needs = RuleTeacher(HEALTH), Needs(occupation="nurse", place="leeds")
    rows = [
        posting("Staff Nurse", "Care for people.", "a", location="Leeds, GB"),
        posting("Staff Nurse", "Care for people.", "b", location="York, GB"),
        posting("Staff Nurse", "Care for people near Leeds.", "c", location="York, GB"),
        posting("Staff Nurse", "Care for people.", "d", location=None),
    ]
    verdicts = [teacher.judge(needs, row) for row in rows]
    assert [v and v.grades["constraints"] for v in verdicts] == [4, 2, None, None]


def test_the_verdict_shows_the_snippets_that_it_rests_on() -> None:
    row = posting("Staff Nurse", "We offer a permanent contract and much teaching.")
    verdict = RuleTeacher(HEALTH).judge(Needs(occupation="nurse", facets=("teaching", "fixed_term")), row)
    assert verdict is not None
    assert "much teaching" in verdict.evidence["stated"]["teaching"]
    assert "permanent" in verdict.evidence["denied"]["fixed_term"]


@pytest.mark.parametrize(
    "needs", [{"occupation": "wizard"}, {"occupation": "nurse", "facets": {"flying": "soft"}}, {}]
)
def test_needs_that_the_lexicon_lacks_are_an_error_that_names_them(needs: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"q7.*(wizard|flying|None)"):
        RuleTeacher(HEALTH).judge_many([(Ask(query_id="q7", query="x", needs=needs), posting("a", "b"))])
