"""A selection fills its budget by logit, repeats nothing, and is written in the text's order."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.extractive.phrase import Phrase
from models.extractive.selection import LEAST_TOKENS, OVER, Budget, budget, joined, select

TEXT = "care for patients. lead a team. patients care. write the reports. drive a van"
SPANS = [(0, 17), (19, 30), (32, 45), (47, 64), (66, 77)]
PHRASES = [Phrase(*span) for span in SPANS]


def chosen(logits: Sequence[float], wanted: int, most: int = 99, threshold: float = -99.0) -> list[int]:
    return select(
        TEXT, PHRASES, [3, 3, 2, 3, 3], logits, Budget(wanted=wanted, most=most, threshold=threshold)
    )


def test_the_highest_logits_fill_the_budget_in_text_order() -> None:
    assert chosen([0, 3, 0, 2, 1], 7) == [1, 3]
    assert joined(TEXT, PHRASES, [1, 3]) == "lead a team; write the reports"


def test_a_phrase_that_says_what_a_chosen_one_says_is_left_out() -> None:
    assert chosen([5, 1, 4, 0, 0], 7) == [0, 1]


def test_a_phrase_that_says_a_part_of_a_chosen_one_word_for_word_is_left_out() -> None:
    parts = [
        "our house offers a generous relocation package, six weeks of leave",
        "new colleagues get our house offers a generous relocation package",
        "our canteen offers a generous lunch, and there is a house band",
    ]
    text, spans, at = ". ".join(parts), list[Phrase](), 0
    for part in parts:
        spans.append(Phrase(at, at + len(part)))
        at += len(part) + 2
    room = Budget(wanted=40, most=60)
    assert select(text, spans, [12, 11, 10], [2, 1, 0], room) == [0, 2], (
        "five words in a row are a repetition"
    )


def test_a_threshold_ends_a_summary_early() -> None:
    assert chosen([1, -3, -2, -3, -3], 20, threshold=0) == [0]
    assert chosen([-5, -5, -6, -6, -6], 20, threshold=0) == [0], "something is kept of any text"


def test_nothing_fits_into_less_than_a_phrase() -> None:
    assert chosen([1, 0, 0, 0, 0], 1, most=1) == []


def test_short_texts_may_keep_a_phrase() -> None:
    assert budget(30, 0.07).wanted == LEAST_TOKENS
    assert budget(1000, 0.07, most=50) == Budget(wanted=70, most=50)


@given(st.data(), st.integers(20, 60))
def test_the_length_is_within_a_fifth_where_phrases_are_short(data: st.DataObject, wanted: int) -> None:
    counts = data.draw(st.lists(st.integers(3, 6), min_size=30, max_size=60))
    logits = data.draw(st.lists(st.floats(-9, 9), min_size=len(counts), max_size=len(counts)))
    text = " ".join(f"a{at} b{at} c{at}" for at in range(len(counts)))
    phrases, at = [], 0
    for number in range(len(counts)):
        length = len(f"a{number} b{number} c{number}")
        phrases.append(Phrase(at, at + length))
        at += length + 1
    found = select(text, phrases, counts, logits, Budget(wanted=wanted, most=wanted * 2))
    used = sum(counts[one] for one in found) + len(found) - 1
    assert found == sorted(set(found))
    assert 0.8 * wanted <= used <= OVER * wanted
