"""Whether summaries keep the ranker's order of raw texts."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from models.summarizer import InstantSummarizer, Summary, SummaryFailure
from pipeline.checks.agreement import agreement, kendall
from pipeline.featurize import Featurizer, SourceRow
from schemas.codec import encode
from schemas.errors import ConfigError
from schemas.records import Op, Posting, PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store

WORDS = ("night", "ward", "surgery", "forklift", "bakery", "python", "teacher", "garden")


class Only(InstantSummarizer):
    """A summarizer whose summaries are the words in `keep`."""

    def __init__(self, keep: Sequence[str], model: str) -> None:
        super().__init__(model)
        self._keep = set(keep)

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        answers = super().summarize_many(texts, deadline_s)
        kept = [" ".join(w for w in text.split() if w in self._keep) or "nothing" for text in texts]
        return [
            replace(a, text=k, tokens=len(k.split()))
            for a, k in zip(answers, kept, strict=True)
            if isinstance(a, Summary)
        ]


def store(keep: Sequence[str], model: str) -> FeatureStore:
    """A store of postings, each with some of WORDS at the end of a long text."""
    features = FeatureStore(open_store("memory:"))
    updates = [
        PostingUpdate(
            posting_id=f"p{n}",
            version=1,
            op=Op.ADD,
            posting=Posting(title="Job", description="filler " * 60 + " ".join(WORDS[: n + 1])),
        )
        for n in range(len(WORDS))
    ]
    Featurizer(features, Only(keep, model)).featurize([SourceRow(encode(u), "t", 0, 0, 0) for u in updates])
    return features


def test_summaries_that_keep_what_is_asked_for_pass_and_those_that_drop_it_do_not() -> None:
    good, poor = store(WORDS, "s@2"), store(WORDS[:1], "s@1")
    queries = [" ".join(WORDS), " ".join(WORDS[2:6])]
    better = agreement(good, poor, LexicalRanker(), queries, 1.0)
    assert better.tau > better.tau_before
    assert better.passes(margin=0.0, most_share=0.5)
    worse = agreement(poor, good, LexicalRanker(), queries, 1.0)
    assert (worse.tau, worse.tau_before) == (better.tau_before, better.tau)
    assert not worse.passes(margin=0.02, most_share=0.5)
    assert not better.passes(margin=0.0, most_share=0.0)


def test_nothing_to_judge_is_said() -> None:
    empty, good = FeatureStore(open_store("memory:")), store(WORDS, "s@1")
    for candidate, before, queries in ((empty, good, ["a"]), (good, empty, ["a"]), (good, good, [])):
        with pytest.raises(ConfigError, match="nothing to judge"):
            agreement(candidate, before, LexicalRanker(), queries, 1.0)


def tau_b(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall (1945) by the counts of its definition: ties on either side, not by signs of differences."""
    n = len(left)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    concordant = sum(
        (left[i] < left[j] and right[i] < right[j]) or (left[i] > left[j] and right[i] > right[j])
        for i, j in pairs
    )
    discordant = sum(
        (left[i] < left[j] and right[i] > right[j]) or (left[i] > left[j] and right[i] < right[j])
        for i, j in pairs
    )
    ties = [sum(t * (t - 1) // 2 for t in Counter(side).values()) for side in (left, right)]
    whole = n * (n - 1) // 2
    return (concordant - discordant) / math.sqrt((whole - ties[0]) * (whole - ties[1]))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=8).filter(lambda order: len(set(order)) > 1))
def test_an_order_agrees_with_itself_and_not_with_its_reverse_ties_or_none(order: list[int]) -> None:
    assert kendall(order, order) == pytest.approx(1)
    assert kendall(order, [-value for value in order]) == pytest.approx(-1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=9))
def test_tau_is_kendalls_tau_b_and_undefined_where_a_side_is_constant(scored: list[tuple[int, int]]) -> None:
    left, right = zip(*scored, strict=True)
    if min(len(set(left)), len(set(right))) == 1:
        assert math.isnan(kendall(left, right))
    else:
        assert kendall(left, right) == pytest.approx(tau_b(left, right))


def test_an_order_of_one_thing_is_none() -> None:
    with pytest.raises(ValueError, match="two things"):
        kendall([1.0], [1.0])


class LengthRanker(Ranker):
    """A ranker that scores an item by the length of its text."""

    model = "r@1"

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        return [float(len(item.text)) + len(query) + deadline_s for item in items]


def test_raw_texts_and_both_summaries_are_scored_for_each_query() -> None:
    good, poor = store(WORDS, "s@2"), store(WORDS[:1], "s@1")
    found = agreement(good, poor, LengthRanker(), ["a"], 1.0)
    assert (found.postings, found.queries, found.tau, found.tau_before) == (len(WORDS), 1, 1.0, 0.0)
