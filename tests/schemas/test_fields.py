from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import fields
from schemas.errors import EventError

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
READERS = [fields.text, fields.label, fields.remote, fields.employment_type, fields.salary]


@pytest.mark.parametrize("reader", READERS)
@given(value=anything)
def test_any_json_value_gives_text_that_utf_8_holds_or_an_error_that_names_the_field(
    reader: Any, value: Any
) -> None:
    try:
        found = reader(value, "posting.field")
    except EventError as error:
        found, named = str(error), "posting.field" in str(error)
    else:
        named = True
    assert named
    assert found is None or found.encode().decode() == found


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (True, "remote"),
        ("remote", "remote"),
        ("Yes", "remote"),
        ("true", "remote"),
        ("Fully remote (EU)", "remote"),
        ("REMOTE_ONLY", "remote"),
        ("telework eligible", "remote"),
        (False, "onsite"),
        ("no", "onsite"),
        ("onsite", "onsite"),
        ("On-Site", "onsite"),
        ("not remote", "onsite"),
        ("false", "onsite"),
        ("hybrid", "hybrid"),
        ("hybrid/optional", "hybrid"),
        ("remote optional", "hybrid"),
        ("partly remote", "hybrid"),
        (None, None),
        ("", None),
        ("mentioned", None),
        ("ask us", None),
        ([], None),
        (["remote", "hybrid"], "remote/hybrid"),
        ([True, False], "remote/onsite"),
    ],
)
def test_remote_has_three_normal_forms_and_is_unknown_otherwise(value: Any, answer: str | None) -> None:
    assert fields.remote(value, "remote") == answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("Full-Time", "full-time"),
        ("full time", "full-time"),
        ("FULL_TIME", "full-time"),
        ("fulltime", "full-time"),
        ("contract/full-time", "full-time/contract"),
        ("full-time/contract", "full-time/contract"),
        (["PART_TIME", "CONTRACTOR"], "part-time/contract"),
        ("INTERN", "internship"),
        ("international", "international"),
        ("fixed-term", "temporary"),
        ("gratis", "gratis"),
        ("Other", "other"),
        (None, None),
        ("  ", None),
    ],
)
def test_employment_types_are_named_alike_and_in_one_order(value: Any, answer: str | None) -> None:
    assert fields.employment_type(value, "employment_type") == answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("£30k", "£30k"),
        (42000, "42000"),
        (None, None),
        ({}, None),
        ({"text": "negotiable", "min": "1"}, "negotiable"),
        ({"text": None, "min": None, "max": None, "unit": "YEAR", "currency": "GBP"}, None),
        ({"min": "105,123", "max": "136,659", "gs_level": "15"}, "105,123-136,659, gs_level 15"),
        ({"min": 10, "max": 12.5, "unit": "HOUR", "currency": "GBP"}, "10-12.5 GBP per hour"),
        ({"min": "10", "max": "10"}, "10"),
        ({"min": "10"}, "from 10"),
        ({"max": "10"}, "up to 10"),
    ],
)
def test_a_salary_is_a_line_of_text(value: Any, answer: str | None) -> None:
    assert fields.salary(value, "salary") == answer


def test_a_label_is_one_line_and_a_text_keeps_its_lines() -> None:
    assert fields.label(" Leeds,\n  GB\t", "location") == "Leeds, GB"
    assert fields.label(["Leeds", " ", "York"], "location") == "Leeds, York"
    assert fields.text(" a\n b ", "description") == " a\n b "


def test_unpaired_surrogates_become_replacement_characters() -> None:
    assert fields.text("a\ud83db\ude00", "title") == "a\ufffdb\ufffd"
    assert fields.text("😀", "title") == "😀"


@pytest.mark.parametrize(("value", "kind"), [(True, "true or false"), ({}, "an object"), ([1], "a list")])
def test_a_value_of_another_kind_is_an_error_that_says_which(value: Any, kind: str) -> None:
    with pytest.raises(EventError, match=f"title must be text or null, not {kind}"):
        fields.text(value, "title")
