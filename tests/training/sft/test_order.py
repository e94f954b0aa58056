"""Batches: each example once an epoch, within the token budget, candidates of a query together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.sft.order import OrderConfig, epoch_batches, plan

sizes = st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=9), min_size=1, max_size=40)


def numbered(lengths_by_query: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    lengths = [length for query in lengths_by_query for length in query]
    rows = iter(range(len(lengths)))
    return lengths, [[next(rows) for _ in query] for query in lengths_by_query]


@given(sizes, st.integers(60, 400), st.integers(1, 8), st.integers(0, 5))
def test_every_epoch_takes_each_example_once_within_the_budget(
    by_query: list[list[int]], batch_tokens: int, list_size: int, epoch: int
) -> None:
    lengths, queries = numbered(by_query)
    config = OrderConfig(seed="1/0", batch_tokens=batch_tokens, list_size=list_size)
    batches = epoch_batches(lengths, queries, config, epoch)
    rows = [row for batch in batches for part in batch for row in part]
    assert sorted(rows) == list(range(len(lengths)))
    for batch in batches:
        wide = [lengths[row] for part in batch for row in part]
        assert len(wide) * max(wide) <= batch_tokens


@given(sizes, st.integers(2, 8))
def test_a_list_holds_candidates_of_one_query_only_and_no_more_than_asked(
    by_query: list[list[int]], list_size: int
) -> None:
    lengths, queries = numbered(by_query)
    owner = {row: number for number, rows in enumerate(queries) for row in rows}
    config = OrderConfig(seed="1/0", batch_tokens=10_000, list_size=list_size)
    for batch in epoch_batches(lengths, queries, config, 0):
        assert all(len({owner[row] for row in part}) == 1 and len(part) <= list_size for part in batch)


@given(sizes, st.integers(1, 5))
def test_a_plan_is_decided_by_its_seed(by_query: list[list[int]], accumulation: int) -> None:
    lengths, queries = numbered(by_query)
    config = OrderConfig(seed="1/0", batch_tokens=200, accumulation=accumulation)
    assert plan(lengths, queries, config, 3) == plan(lengths, queries, config, 3)
    assert all(1 <= len(step.batches) <= accumulation for step in plan(lengths, queries, config, 3))


def test_epochs_and_seeds_come_in_different_orders() -> None:
    lengths, queries = [7] * 50, [[row] for row in range(50)]

    def order(seed: str, epoch: int) -> list[object]:
        return list(epoch_batches(lengths, queries, OrderConfig(seed=seed, batch_tokens=70), epoch))

    assert len({str(order(seed, epoch)) for seed in ("1/0", "2/0") for epoch in (0, 1)}) == 4


def test_bucketing_by_length_pads_less_than_a_tenth_of_what_chance_would() -> None:
    lengths = [10 + (37 * row) % 990 for row in range(4000)]
    config = OrderConfig(seed="1/0", batch_tokens=16_384)
    batches = epoch_batches(lengths, [[row] for row in range(4000)], config, 0)
    padded = sum(len(batch) * max(lengths[part[0]] for part in batch) for batch in batches)
    assert 1 - sum(lengths) / padded == pytest.approx(0, abs=0.05)
