"""Any text of a location field is read as places: long ones, odd ones, and those of several places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.match import passes
from pipeline.places.reading import read_places
from tests.pipeline.builders import feature, search


def _taken(wanted: str, posted: str) -> bool:
    return passes(search("", location=wanted), feature(location=posted))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["a, ", "London, ", "(", "OR ", "/", "the ", "area ", "東京", "Remote ", "- ", "\u0301", "; "]
)
def test_any_text_is_read_and_a_long_one_soon(piece: str) -> None:
    assert isinstance(read_places(piece * 5_000), tuple)
    assert passes(search("", location=piece), feature(location=piece))


PIECES = [
    "Portland",
    "OR",
    "or",
    "Paris",
    "Remote",
    "UK",
    "Ontario",
    "New York",
    "no",
    ",",
    ";",
    "/",
    " - ",
    "(",
    ")",
    "CA",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join) | st.text(max_size=40))
def test_a_posting_passes_for_its_own_text(text: str) -> None:
    assert _taken(text, text)


@given(
    st.sampled_from(["Oslo", "Lima", "Perth, WA", "Bonn, Germany"]),
    st.sampled_from(["Turin", "Quito", "Bath, UK"]),
)
def test_a_list_takes_what_one_of_its_places_takes_in_any_order(one: str, other: str) -> None:
    assert _taken(f"{one}; {other}", one)
    assert _taken(f"{other}; {one}", one)
    assert _taken(one, f"{other}; {one}")
    assert not _taken(f"{one}; {other}", "Santiago, Chile")
