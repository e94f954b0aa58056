import pytest

from benchmarks.engine.operations import necessary
from benchmarks.engine.shapes import parameters, shape_of
from benchmarks.engine.workload import UNEQUAL, Load, equal
from models.engine.checkpoint import ModelShape

SMALL = ModelShape(
    layers=1,
    hidden=2,
    heads=1,
    kv_heads=1,
    head_dim=3,
    mlp=5,
    vocab=7,
    context=64,
    rope_theta=1e4,
    norm_eps=1e-6,
    tied=True,
)
#: Multiply-adds of one token: queries and output 2 * 2 * 3, keys and values 2 * 2 * 3, MLP 3 * 2 * 5.
TOKEN = 12 + 12 + 30


def test_the_shapes_have_the_published_numbers_of_parameters() -> None:
    assert [round(parameters(shape_of(name)) / 1e6) for name in ("dense", "pruned")] == [596, 376]


def test_one_prompt_of_two_tokens_is_counted_by_hand() -> None:
    """Two tokens through the layer; three (token, seen token) pairs, each 3 multiply-adds twice."""
    assert necessary(SMALL, equal(1, 2, 1), last_layer_whole=True) == 2 * (2 * TOKEN + 3 * 3 * 2)


def test_with_only_last_tokens_in_the_last_layer_the_others_give_keys_and_values_alone() -> None:
    expected = 2 * (2 * 12 + (TOKEN - 12) + 2 * 3 * 2)
    assert necessary(SMALL, equal(1, 2, 1), last_layer_whole=False) == expected


def test_a_request_of_ten_summaries_on_the_pruned_shape_needs_727_billion_operations() -> None:
    count = necessary(shape_of("pruned"), equal(10, 220, 70), last_layer_whole=True)
    assert count / 1e9 == pytest.approx(727, abs=1)


def test_shared_tokens_count_once_and_requests_apart() -> None:
    together = necessary(SMALL, Load(shared=10, own=(5, 5)), last_layer_whole=True)
    alone = necessary(SMALL, Load(shared=10, own=(5,)), last_layer_whole=True)
    prefix = necessary(SMALL, Load(shared=0, own=(10,)), last_layer_whole=True)
    assert together == 2 * alone - prefix
    assert necessary(SMALL, Load(shared=10, own=(5,), requests=3), last_layer_whole=True) == 3 * alone


def test_items_of_unequal_lengths_hold_as_many_tokens_as_the_equal_ones() -> None:
    assert sum(UNEQUAL) == sum(equal(10, 220, 70).own)
    assert (70 + min(UNEQUAL), 70 + max(UNEQUAL)) == (90, 600)


def test_requests_of_one_seed_are_the_same_and_of_another_seed_not() -> None:
    load = Load(shared=4, own=(3, 9), requests=2)
    assert load.draw("a", 100) == load.draw("a", 100) != load.draw("b", 100)
    drawn = load.draw("a", 100)
    assert [sorted(map(len, request.items)) for request in drawn] == [[3, 9], [3, 9]]
    assert drawn[0].prefix != drawn[1].prefix
    assert load.items == 4
