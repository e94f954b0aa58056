import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.keys import (
    MAX_ID_BYTES,
    alert_id,
    content_hash,
    day_of,
    feature_key,
    ledger_key,
    parts_hash,
    quota_key,
    score_key,
    score_prefix,
    text_hash,
    text_key,
)
from schemas.records import Posting
from tests.schemas.strategies import postings, text

ids = text | st.builds(lambda word, times: word * times, st.text("aé看", min_size=1), st.integers(60, 250))
ODD_IDS = [
    "",
    "a",
    "a/b",
    "f/1/a",
    "\x00",
    "a\x00",
    "\x7f",
    "\x7fa",
    "a\x7f",
    "看" * 66,
    "看" * 67,
    "看" * 68,
    "x" * MAX_ID_BYTES,
    "x" * (MAX_ID_BYTES + 1),
    "x" * 5000,
]


@given(a=ids, b=ids)
def test_two_ids_share_a_key_only_if_they_are_the_same(a: str, b: str) -> None:
    assert (feature_key(a) == feature_key(b)) is (a == b)
    assert (text_key(a) == text_key(b)) is (a == b)


def test_every_kind_of_key_has_its_own_prefix_and_long_ids_keep_it() -> None:
    for odd in ODD_IDS:
        keys = [feature_key(odd), text_key(odd), ledger_key(odd), quota_key(odd, 1), score_prefix(odd, "m/d")]
        assert {key[:4] for key in keys} == {b"f/1/", b"t/1/", b"a/1/", b"q/1/", b"s/2/"}
    assert len({feature_key(odd) for odd in ODD_IDS}) == len(ODD_IDS)
    assert len({quota_key(odd, day) for odd in ODD_IDS for day in range(3)}) == 3 * len(ODD_IDS)


def test_a_score_key_tells_models_modes_arithmetics_queries_and_items_apart() -> None:
    hashes = [text_hash(word) for word in ("a", "b")]
    ways = ("single/float32", "single/bfloat16", "multi-item/bfloat16")
    prefixes = [score_prefix(model, way) for model in ("r@1", "r@2", "r@1 single/float32") for way in ways]
    keys = {score_key(prefix, q, p) for prefix in prefixes for q in hashes for p in hashes}
    assert len(keys) == 9 * 4


def test_keys_and_ids_are_the_same_in_every_process_and_release() -> None:
    assert feature_key("p-1") == b"f/1/p-1"
    assert quota_key("s", 19000) == b"q/1/19000/s"
    assert alert_id("s-1", "p-1", 7) == "1f893155d7d7cddce50e29fead2f4ec2"


@given(first=st.lists(st.none() | text, max_size=4), second=st.lists(st.none() | text, max_size=4))
def test_different_parts_have_different_hashes(first: list[str | None], second: list[str | None]) -> None:
    assert (parts_hash(*first) == parts_hash(*second)) is (first == second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("", None), (None, "")),
        (("1,1:", "x"), ("1", ",1:x")),
        (("a",), ("a", "")),
    ],
)
def test_parts_that_look_alike_when_joined_have_different_hashes(
    one: tuple[str | None, ...], other: tuple[str | None, ...]
) -> None:
    assert parts_hash(*one) != parts_hash(*other)


@given(one=postings, other=postings)
def test_contents_have_the_same_hash_only_if_they_are_the_same(one: Posting, other: Posting) -> None:
    assert (content_hash(one) == content_hash(other)) is (one == other)


def test_an_alert_is_another_one_for_another_search_posting_or_opening() -> None:
    made = {alert_id(s, p, e) for s in ("a", "b") for p in ("a", "b") for e in (-1, 0, 1)}
    assert len(made) == 12
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)


def test_days_are_counted_in_utc_from_1970() -> None:
    assert [day_of(us) for us in (0, 86_399_999_999, 86_400_000_000)] == [0, 0, 1]
