"""Baselines: each keeps what its method says, within the share asked for."""

import numpy as np
import pytest

from tests.training.rl.world import count, posting
from training.rl.baselines.base import Shortener
from training.rl.baselines.words import Keywords, Lead, NoDescription, TextRank, WithoutStopWords, pagerank

TEXT = (
    "We run a bakery in the town. The baker bakes bread at night. Bread and cakes are sold in the bakery. "
    "Parking is free. The baker of the bakery earns a fair wage for bread at night."
)
OTHERS = [posting(n, "We are in the town and parking is free for a fair wage") for n in range(1, 9)]


@pytest.mark.parametrize("shortener", [Lead(count), TextRank(count), Keywords(count, OTHERS)])
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_share_is_kept_to(shortener: Shortener, share: float) -> None:
    (found,) = shortener.shorten_many([posting(0, TEXT)], share)
    length = count([found])[0]
    assert 1 <= length <= share * count([TEXT])[0]
    assert set(found.lower().replace(".", "").split()) <= set(TEXT.lower().replace(".", "").split())


def test_each_keeps_what_its_method_says() -> None:
    rows = [posting(0, TEXT)]
    assert NoDescription().shorten_many(rows, 0.5) == [""]
    assert Lead(count).shorten_many(rows, 0.2) == ["We run a bakery in the town."]
    assert "baker" in Keywords(count, [*rows, *OTHERS]).shorten_many(rows, 0.1)[0]
    assert TextRank(count).shorten_many(rows, 0.3)[0].startswith("The baker")
    kept = WithoutStopWords().shorten_many(rows, 0.5)[0].lower().split()
    assert "the" not in kept
    assert "parking" in kept


def test_texts_without_words_stay_empty() -> None:
    for shortener in (Lead(count), TextRank(count), Keywords(count, OTHERS), WithoutStopWords()):
        assert shortener.shorten_many([posting(0, "")], 0.1) == [""]


def test_pagerank_is_the_stationary_distribution() -> None:
    ranks = pagerank(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert ranks.sum() == pytest.approx(1.0)
    assert ranks[0] > ranks[1] == pytest.approx(ranks[2])
