"""The lexical matcher: hard filters, terms of any script, the index against the plain definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer
from pipeline.filters import filter_checks
from pipeline.match import (
    feature_terms,
    match_score,
    passes,
    query_terms,
)
from pipeline.percolation.percolator import Percolator
from pipeline.terms import stem, terms
from schemas.records import FeatureRecord, Op, PostingUpdate, State
from tests.pipeline.builders import content, feature, memory, rows, search, update


def test_a_null_on_the_posting_side_passes_every_hard_filter() -> None:
    wanting = search("nurse", location="Leeds", remote=True, employment_type="full-time")
    assert passes(wanting, feature(title="Nurse", location=None, remote=None, employment_type=None))


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("london", "London, GB", True),
        ("San Fran", "San Francisco, CA", True),
        ("York", "New York", False),
        ("Leeds", "London", False),
        ("land", "Portland", False),
        ("東京", "東京都港区", True),
        ("大阪", "東京都港区", False),
        ("Zürich", "zürich", True),
    ],
)
def test_a_location_passes_by_its_places(wanted: str, found: str, expected: bool) -> None:
    assert passes(search("", location=wanted), feature(location=found)) is expected


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (True, "remote", True),
        (True, "hybrid", False),
        (True, "onsite", False),
        (False, "remote", False),
        (False, "hybrid", True),
        (False, "onsite", True),
    ],
)
def test_remote_is_remote_alone_and_not_remote_is_the_rest(wanted: bool, found: str, expected: bool) -> None:
    assert passes(search("", remote=wanted), feature(remote=found)) is expected


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [("full-time", "full-time", True), ("full-time", "part-time", False), ("Full Time", "full-time", True)],
)
def test_the_employment_type_is_compared_by_its_words(wanted: str, found: str, expected: bool) -> None:
    assert passes(search("", employment_type=wanted), feature(employment_type=found)) is expected


def test_half_of_the_content_terms_rounded_up_must_stand_in_the_posting() -> None:
    posting = feature(title="Night nurse", summary="wards in a children's hospital")
    assert passes(search("night nurse pediatrics Arabic"), posting)
    assert not passes(search("night porter pediatrics"), posting)


def test_terms_are_found_in_the_summary_and_in_inflected_forms() -> None:
    posting = feature(title="Engineer", summary="You build databases and maintain C++ libraries")
    for query in ("engineering", "database", "building", "C++", "libraries", "library"):
        assert passes(search(query), posting), query
    assert not passes(search("C#"), posting)


def test_a_query_without_content_terms_matches_whatever_passes_the_filters() -> None:
    for query in ("", "the job for me", "!!! ???", "🙂"):
        assert passes(search(query), feature(title="Welder"))
        assert not passes(search(query, location="Oslo"), feature(title="Welder", location="Paris"))


@pytest.mark.parametrize(
    ("query", "title", "other"),
    [
        ("软件工程师", "高级软件工程师（北京）", "护士"),
        ("नर्स अस्पताल", "वरिष्ठ नर्स", "वेल्डर"),
        ("инженер", "Инженер-программист", "Медсестра"),
        ("مهندس", "مهندس برمجيات", "ممرضة"),
        ("พยาบาล", "รับสมัครพยาบาล", "วิศวกร"),
        ("ソフトウェア", "ソフトウェア開発者", "看護師"),
    ],
)
def test_a_query_in_any_script_finds_its_posting_and_not_another(query: str, title: str, other: str) -> None:
    assert passes(search(query), feature(title=title))
    assert not passes(search(query), feature(title=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("nurses", "nurse"), ("nursing", "nurse"), ("agencies", "agency"), ("driving", "drive")],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_different_words_keep_different_stems() -> None:
    assert (
        len({stem(word) for word in ("chef", "cashier", "class", "bus", "analysis", "bed", "red", "king")})
        == 8
    )


@pytest.mark.timeout(60)
@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_has_terms_that_a_posting_of_the_same_text_holds(text: str) -> None:
    assert terms(text) <= terms(f"{text}\nmore words")
    assert passes(search(text), feature(title=text))


WORDS = ["nurse", "ward", "night", "driver", "truck", "python", "the", "remote", "Paris"]
_texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    "changes",
    [{"state": State.CLOSED}, {"state": State.REMOVED}, {"input_hash": b"other"}, {"content_version": -1}],
)
def test_only_open_postings_with_a_current_summary_match(changes: dict[str, object]) -> None:
    matcher = Percolator()
    matcher.put_search(search(""))
    ready: FeatureRecord = feature(title="Nurse")
    found = matcher.match_many([feature(**changes), ready])
    assert list(map(len, found)) == [0, 1]


@pytest.mark.parametrize(
    "history",
    [
        [update("p", 1, Op.OPEN)],
        [
            update("p", 1, Op.ADD, content("Nurse", "a ward")),
            update("p", 2, Op.REMOVE),
            update("p", 3, Op.OPEN),
        ],
    ],
    ids=["only an open came", "content was removed"],
)
def test_an_open_posting_without_content_matches_not_even_a_search_that_takes_everything(
    history: list[PostingUpdate],
) -> None:
    features, everything = memory(), Percolator()
    everything.put_search(search(""))
    featurizer = Featurizer(features, InstantSummarizer())
    featurizer.featurize(rows(history))
    (record,) = features.scan()
    assert record.state is State.OPEN
    assert not any(everything.match_many([record]))
    featurizer.featurize(rows([update("p", 4, Op.UPDATE, content("Nurse", "a ward"))]))
    (record,) = features.scan()
    assert [len(found) for found in everything.match_many([record])] == [1]


def test_it_is_a_trade_and_no_stop_word() -> None:
    assert not passes(search("IT"), feature(title="Nurse"))
    assert passes(search("IT"), feature(title="IT Manager"))


def test_a_replaced_search_matches_by_its_new_words_alone() -> None:
    matcher = Percolator()
    matcher.put_search(search("nurse"))
    matcher.put_search(search("welder"))
    assert len(matcher) == 1
    found = matcher.match_many([feature(title="Nurse"), feature(title="Welder")])
    assert [[one.query for one in matches.searches()] for matches in found] == [[], ["welder"]]


def test_explain_sees_each_filter_that_decided() -> None:
    checks = filter_checks(search("", location="Oslo", remote=True), feature(location="Paris", remote=None))
    assert [(check.name, check.passed) for check in checks] == [
        ("location", False),
        ("remote", True),
        ("employment_type", True),
        ("pay_from", True),
        ("must_not", True),
    ]
    assert query_terms("night nurse wanted in a ward")[1] == 2


_shapes = st.lists(
    st.sampled_from(["party", "parties", "partie", "part", "parting", "c++", "c#", "java", "wanted", "wanting", "bus",
                     "buses", "node+", "ies", "y", "nursing", "nurse", "é", "-", ".", "+", " "]),
    max_size=12,
).map("".join)  # fmt: skip


@given(query=_shapes | st.text(max_size=30), text=_shapes | st.text(max_size=100))
@settings(max_examples=300, deadline=None)
def test_a_posting_passes_by_its_text_as_by_its_terms(query: str, text: str) -> None:
    wanted, needed = query_terms(query)
    posting = feature(title=text)
    assert passes(search(query), posting) is (len(wanted & feature_terms(posting)) >= needed)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=200))
def test_plain_ascii_splits_as_any_other_text_does(text: str) -> None:
    # a soft hyphen adds no word, but makes the text non-ASCII, so that it is split by the general rule
    assert terms(text) == terms(f"{text} \N{SOFT HYPHEN}")


def test_a_posting_scores_by_the_share_of_the_querys_words_in_it_and_in_its_title() -> None:
    wanted = search("night nurse ward")
    titled = feature(title="Night nurse", summary="a ward")
    told = feature(title="Carer", summary="a night nurse of a ward")
    part = feature(title="Nurse", summary="days")
    scores = [match_score(wanted, one) for one in (titled, told, part)]
    assert scores == pytest.approx([1 + 2 / 3, 1.0, 2 / 3])
    assert match_score(search("the"), titled) == 0.0
