"""Pools for queries that name no postings: whence they come, how large they are, and what they never hold."""

import pytest

from pipeline.terms import STOP_WORDS
from schemas.errors import ConfigError
from tests.support.judging import ask, posting
from training.judging.pools import PoolSizes, with_pools
from training.judging.postings import PostingRow
from training.judging.queries import Query
from training.judging.records import Split
from training.judging.splits import split
from training.judging.words import SEARCH_FILLER, search_words

TRADES = ("welder", "nurse", "porter", "dietitian", "driver", "teacher", "baker", "plumber")
POSTINGS = [posting(f"p{n}", TRADES[n % 8], f"text{n} word{n % 7} shift{n % 5}") for n in range(160)]
OF_SPLIT = {name: {row.posting_id for row in rows} for name, rows in split(POSTINGS).postings.items()}
SIZES = PoolSizes(by_title=3, by_text=2, random=2)


def query(words: str, name: Split = "train", query_id: str = "q", *items: str) -> Query:
    return Query(ask=ask(words, query_id, split=name), posting_ids=items)


def test_a_pool_is_of_the_querys_own_split_and_no_larger_than_its_parts() -> None:
    asked = [query("welder", name, name) for name in ("train", "dev", "test")]
    for found in with_pools(asked, POSTINGS, SIZES):
        assert SIZES.random <= len(found.posting_ids) <= 7
        assert set(found.posting_ids) <= OF_SPLIT[found.ask.split]
        assert len(set(found.posting_ids)) == len(found.posting_ids)
    assert all(OF_SPLIT.values())


def test_the_best_by_title_and_by_text_are_in_the_pool() -> None:
    titles = {row.posting_id: row.item.title for row in POSTINGS}
    wanted = next(row for row in POSTINGS if row.posting_id in OF_SPLIT["train"])
    own = wanted.item.text.split()[0]
    (found,) = with_pools([query(f"looking for {wanted.item.title} {own}")], POSTINGS, SIZES)
    assert wanted.posting_id in found.posting_ids
    assert sum(titles[name] == wanted.item.title for name in found.posting_ids) >= SIZES.by_title


def test_a_query_of_unknown_words_gets_only_postings_drawn_at_random() -> None:
    (found,) = with_pools([query("zzz")], POSTINGS, SIZES)
    assert len(found.posting_ids) == SIZES.random


def test_the_seed_decides_the_pool_and_a_query_that_names_its_postings_keeps_them() -> None:
    named, drawn = query("welder", "train", "a", "p1", "p2"), query("welder", "train", "b")
    first, again, other = (with_pools([named, drawn], POSTINGS, SIZES, seed) for seed in (1, 1, 2))
    assert first == again
    assert first[1] != other[1]
    assert first[0] == named


def test_a_split_without_postings_is_named() -> None:
    few: list[PostingRow] = [row for row in POSTINGS if row.posting_id in OF_SPLIT["train"]][:3]
    with pytest.raises(ConfigError, match="no posting falls into the split dev"):
        with_pools([query("welder", "dev")], few)


def test_words_that_pools_leave_out_are_left_out_by_matching_too() -> None:
    assert SEARCH_FILLER < STOP_WORDS
    assert search_words("Looking for work as C++ or node.js developer") == ["c++", "node.js", "developer"]
