import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.characters import fold, seen

ANY = st.text(st.characters(), max_size=60)  # unpaired surrogates too


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Infirmière", "infirmiere"),
        ("Infirmie\u0300re", "INFIRMIERE"),
        ("Straßenbau", "strassenbau"),
        ("ﬁreﬁghter", "firefighter"),
        ("Łódź", "lodz"),
        ("Søren", "soren"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("ｎｕｒｓｅ", "nurse"),
        ("𝗡𝘂𝗿𝘀𝗲", "nurse"),
        ("Kranken\u00adpfleger", "krankenpfleger"),
        ("Nur\u200bse", "nurse"),
        ("Nur\x00se", "nurse"),
        ("\u202aNurse\u202c\ufeff", "nurse"),
        ("ёлка", "елка"),
        ("ΆΓΙΟΣ", "αγιος"),
        ("مُمَرِّضة", "ممرضة"),
        ("می\u200cخواهم", "میخواهم"),
        ("ﾊﾟｰﾄ", "パート"),
    ],
)
def test_a_word_is_found_however_it_is_written(written: str, asked: str) -> None:
    assert fold(written) == fold(asked)


@pytest.mark.parametrize(
    ("one", "other"), [("か", "が"), ("कि", "की"), ("มา", "ม้า"), ("мой", "мои"), ("c", "c++")]
)
def test_words_that_differ_by_a_letter_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(ANY)
@example("\u0301\u0316" * 40)
@example("\x85\u1680\u2028")
def test_both_forms_are_idempotent_whatever_the_text(text: str) -> None:
    assert seen(seen(text)) == seen(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=40))
def test_composed_and_decomposed_text_fold_to_one(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(st.text(st.characters(max_codepoint=126, exclude_categories=["Cc"])))
def test_plain_ascii_is_seen_as_it_is(text: str) -> None:
    assert seen(text) == text


def test_a_joiner_stays_where_a_script_is_spelled_with_it_and_goes_elsewhere() -> None:
    assert seen("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"
    assert seen("Night\u200d nurse\u200c") == "Night nurse"


def test_letters_that_windows_wrote_are_shown_as_browsers_show_them() -> None:
    assert seen("It\x92s full\x96time") == "It’s full–time"


@pytest.mark.parametrize(
    "text", ["\u0301\u0316" * 50_000, "é" * 100_000, "a\u200d" * 50_000, "\u200c\u200d" * 50_000]
)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    begun = time.process_time()
    fold(text)
    assert time.process_time() - begun < 1
