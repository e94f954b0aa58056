"""The second rule set: its reading, its grades, its pools, and that nothing of it can be trained on."""

from random import Random

import pytest

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.drawing import Domain, Drawing
from training.judging.policy import load_policy
from training.judging.postings import PostingRow
from training.rules.lexicon.entries import DOMAINS, lexicon
from training.rules.matching import SummaryMatcher
from training.rules.second.grading import Meant, verdict
from training.rules.second.judging import drawn, judged, read_all
from training.rules.second.lexicon import second_lexicon
from training.rules.second.pools import SMALLEST
from training.rules.second.reading import heard_in, read, sentences_of

GENERAL = second_lexicon("general")


def posting(title: str, text: str, number: int = 1, **fields: str | None) -> PostingRow:
    known: dict[str, str | None] = {
        "company": "Acme",
        "location": None,
        "employment_type": None,
        "remote": None,
    }
    return PostingRow(
        posting_id=f"p{number}",
        item=Item(title=title, text=text, **(known | fields)),
        posted_at=None,
        source=None,
    )


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("late", "You will work night shifts.", (True, False)),
        ("late", "There are no night shifts here.", (False, True)),
        ("no_late", "There are no nights.", (True, False)),
        ("wheels", "A driving licence is not required.", (False, True)),
        ("green_start", "No experience is needed.", (True, False)),
        ("no_sat_sun", "Weekend work is part of it.", (False, True)),
        ("solo", "We love dogs.", (False, False)),
    ],
)
def test_a_sentence_grants_or_refuses(key: str, text: str, expected: tuple[bool, bool]) -> None:
    assert heard_in(GENERAL.wants[key], "\n".join(sentences_of(text))) == expected


@pytest.mark.parametrize(
    ("title", "text", "label"),
    [
        ("Barista", "Night shifts and a bonus.", (4, 4, 4)),
        ("Barista", "A bonus.", (4, 2, 3)),
        ("Barista", "No night shifts. A bonus.", (4, 2, 1)),
        ("Pub landlord, bar manager", "Night shifts. A bonus.", (2, 4, 4)),
        ("Plumber", "Night shifts.", (0, 3, 4)),
    ],
)
def test_grades_follow_trade_share_and_refusals(title: str, text: str, label: tuple[int, int, int]) -> None:
    found = verdict(
        Meant(job="tables", wants=("late", "extra")), read(posting(title, text), GENERAL), GENERAL
    )
    assert found
    assert tuple(found.grades.values()) == label


def test_a_title_without_a_job_stays_unjudged() -> None:
    assert verdict(Meant(job="tables"), read(posting("Wizard", "Bonus."), GENERAL), GENERAL) is None


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_wording_is_one_of_the_first_lexicon(domain: Domain) -> None:
    first, second = lexicon(domain), second_lexicon(domain)
    known = {p.casefold() for f in first.facets.values() for p in f.phrases}
    known |= {w.casefold() for o in first.occupations.values() for w in o.wordings}
    said = [p for job in second.jobs.values() for p in job.asked] + [
        p for want in second.wants.values() for p in want.asked
    ]
    assert [p for p in said if p.casefold() in known] == []


def test_pools_have_twenty_and_more_with_good_ones_and_others() -> None:
    rng = Random(1)
    titles = ("Barista", "Plumber", "Truck Driver", "Carpenter", "Cashier", "Housekeeper")
    texts = (
        "Night shifts.",
        "No night shifts.",
        "Weekends off.",
        "A bonus for all.",
        "No experience needed.",
    )
    rows = [posting(rng.choice(titles), rng.choice(texts), n) for n in range(80)]
    pools = list(judged(read_all(rows, GENERAL), 10, 3, load_policy()))
    assert len({rows[0].query for rows in pools}) == 10
    for rows_of in pools:
        assert len(rows_of) >= SMALLEST
        assert max(r.label for r in rows_of) >= 3 > min(r.label for r in rows_of)


def test_a_matched_pool_holds_only_what_the_matcher_finds() -> None:
    titles = ("Barista", "Plumber", "Truck Driver", "Carpenter", "Cashier", "Housekeeper")
    rows = [posting(titles[n % 6], "Night shifts. A bonus.", n) for n in range(80)]
    asked = " ".join(words for job in GENERAL.jobs.values() for words in job.asked)
    matcher = SummaryMatcher(
        [row.item for row in rows], [asked if row.posting_id < "p5" else "" for row in rows]
    )
    pools = list(judged(read_all(rows, GENERAL), 5, 3, load_policy(), matcher))
    assert {one.posting_id < "p5" for found in pools for one in found} == {True}
    assert len(pools) == 5


def test_training_queries_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"for testing alone.*train"):
        next(drawn([], {"train": 3}, load_policy(), 0, Drawing(domain="general", rules="second")))
