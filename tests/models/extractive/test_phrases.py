"""Phrases are disjoint spans of whole words, in any script; headings, bullets and separators lie outside of them."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.extractive.phrases import MOST, phrases

PIECES = st.sampled_from(
    [
        "nurse", "Nights", "and", "or", "which", "the", "of", "•", "-", "–", "(ICU)", "e.g.", "etc.", "Requirements:",
        "C++,", "3.", "years;", "ward.", "O'Brien", "naïve", "看護師を募集", "します。", "用Python开发，", "ممرضة", "خبرة؛",
        "מחפשים", "пациентам,", "ความรู้", "“care”", "👩‍⚕️", "…", "!", "[URL]", "\n", "ﬁ", "e\u0301",
    ]
)  # fmt: skip
PLAIN = ["we", "look", "for", "a", "nurse", "of", "night", "wards", "with", "care", "and"]
SPACELESS = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff]")


def words(text: str) -> list[str]:
    return [phrase.of(text) for phrase in phrases(text)]


def joins_a_word(before: str, after: str) -> bool:
    """Whether two neighbouring characters belong to one word."""

    def inside(char: str) -> bool:
        return (char.isalnum() or unicodedata.combining(char) > 0) and not SPACELESS.match(char)

    return inside(before) and inside(after)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map(" ".join)))
def test_spans_are_ordered_disjoint_and_of_whole_words(text: str) -> None:
    end = 0
    for phrase in phrases(text):
        assert end <= phrase.start < phrase.end <= len(text)
        assert phrase.of(text).strip() == phrase.of(text)
        assert any(char.isalnum() for char in phrase.of(text))
        for at in (phrase.start, phrase.end):
            assert not (0 < at < len(text) and joins_a_word(text[at - 1], text[at]))
        end = phrase.end


@given(st.lists(st.sampled_from(PLAIN), max_size=200))
def test_a_text_without_punctuation_is_cut_into_short_phrases(given_words: list[str]) -> None:
    found = words(" ".join(given_words))
    assert all(len(phrase.split()) <= MOST + 2 for phrase in found)
    covered = [word for phrase in found for word in phrase.split()]
    left_out = sorted(set(given_words) - set(covered))
    assert left_out in ([], ["and"])  # a conjunction between two phrases is in neither


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("Nurse", ["Nurse"]),
        ("Requirements:", []),
        ("***", []),
        ("About us: • care for older people • help with meals and • keep good records.",
         ["care for older people", "help with meals", "keep good records"]),
        ("Degree in nursing; night shifts are paid - a car is provided.",
         ["Degree in nursing", "night shifts are paid", "a car is provided"]),
        ("Full-time. Permanent. London.", ["Full-time. Permanent. London"]),
        ("Hours: 37.5 per week", ["Hours: 37.5 per week"]),
        ("Team of 26. We shipped two games, open till 9.15. More on request.",
         ["Team of 26", "We shipped two games, open till 9.15", "More on request"]),
        ("1. plan the care 2. write the reports 3. lead the team", ["plan the care", "write the reports", "lead the team"]),
        ("Lots of 1 to 1. You will work in a team of 2. Nights are paid.",
         ["Lots of 1 to 1", "You will work in a team of 2", "Nights are paid"]),
        ("You start on band 1. Full training is given here.", ["You start on band 1", "Full training is given here"]),
        ("Send it to Dr. Smith, e.g. by mail.", ["Send it to Dr. Smith, e.g. by mail"]),
        ("-Take part in trials -Write down results here", ["Take part in trials", "Write down results here"]),
        ("夜勤あり、経験者優遇。未経験の方も歓迎します。", ["夜勤あり、経験者優遇", "未経験の方も歓迎します"]),
        ("نبحث عن ممرضة ذات خبرة؛ دوام كامل في المدينة", ["نبحث عن ممرضة ذات خبرة", "دوام كامل في المدينة"]),
    ],
)  # fmt: skip
def test_examples(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_long_sentence_is_cut_where_clauses_end() -> None:
    text = (
        "Wir suchen eine engagierte Pflegefachkraft für unsere Intensivstation, die gerne im Team arbeitet"
        " und mindestens drei Jahre Erfahrung mitbringt."
    )
    assert words(text) == [
        "Wir suchen eine engagierte Pflegefachkraft für unsere Intensivstation",
        "die gerne im Team arbeitet und mindestens drei Jahre Erfahrung mitbringt",
    ]


@pytest.mark.parametrize("number", ["at least 3 years", "1 to 1", "9 to 5", "grade 7", "over 200 beds"])
def test_a_number_is_not_cut_from_its_words(number: str) -> None:
    text = f"we look for a kind and patient colleague who has worked {number} with children on wards of a large hospital here"
    assert any(number in phrase for phrase in words(text))


def test_items_of_a_list_that_lost_its_bullets_are_told_by_their_capitals() -> None:
    text = "Help clients with taking of medication Support the service user with care plans Keep records of all visits and calls each week"
    assert words(text) == [
        "Help clients with taking of medication",
        "Support the service user with care plans",
        "Keep records of all visits and calls each week",
    ]


def test_a_very_long_text_is_cut_too() -> None:
    text = "nurse on a ward, " * 20_000
    assert len(phrases(text)) > 1000


@pytest.mark.parametrize("mark", ["-", "*", "=-", "1.", "•-"])
def test_a_long_line_of_marks_before_a_word_takes_no_time(mark: str) -> None:
    text = f"Apply today. {mark * 3000}Recruitment agencies need not apply."
    assert any("agencies" in phrase for phrase in words(text))
