"""Stream and backfill over the same events, in any order and interleaving, leave what the sequential fold leaves."""

import random
from contextlib import closing
from pathlib import Path

import pytest

from batch.backfill import backfill
from batch.engine import InProcess
from models.summarizer import InstantSummarizer
from pipeline.checks.parity import Compared, compare
from pipeline.featurize import Featurizer
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch.catalogs import settings, stored
from tests.support.orders import check_plainly, good_lines, push, sequential, shuffled, updates


def test_the_sequential_fold_is_the_plain_one(sample: Path, tmp_path: Path) -> None:
    check_plainly(sample, sequential(sample), tmp_path)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return good_lines(tmp_path / "sample.jsonl")


@pytest.mark.parametrize("seed", range(4))
def test_a_backfill_of_the_events_in_any_order_leaves_what_the_fold_leaves(
    seed: int, sample: Path, tmp_path: Path
) -> None:
    asked = settings(tmp_path, shuffled(sample, seed, tmp_path / "c.jsonl"), chunk_rows=7 + 40 * seed)
    backfill(asked, InProcess(), lambda _line: None)
    assert list(stored(asked.store_url).values()) == sequential(sample)


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_before_and_after_a_backfill_of_the_same_events_changes_nothing(
    seed: int, sample: Path, tmp_path: Path
) -> None:
    events = updates(sample)
    random.Random(seed).shuffle(events)
    cut = len(events) * (seed + 1) // 6
    asked = settings(tmp_path, shuffled(sample, seed, tmp_path / "c.jsonl"))
    with closing(open_store(asked.store_url)) as kv, closing(open_store("memory:")) as alone:
        push(Featurizer(FeatureStore(kv), InstantSummarizer()), events[:cut], 16)
        backfill(asked, InProcess(), lambda _line: None)
        push(Featurizer(FeatureStore(kv), InstantSummarizer()), events[cut:], 16)
        push(Featurizer(FeatureStore(alone), InstantSummarizer()), events, 16)
        compared = Compared()
        assert list(compare(FeatureStore(kv), FeatureStore(alone), compared)) == []
    assert compared.postings == len(sequential(sample))
    assert list(stored(asked.store_url).values()) == sequential(sample)
