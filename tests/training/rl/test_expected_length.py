"""Choices at an expected length have that length, keep the order of their logits, and the gradient knows of both."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.rl.expected_length import SPREAD, at_expected_length, of_one_spread

LOGITS = st.lists(st.floats(-8, 8), min_size=2, max_size=30)


@given(logits=LOGITS, share=st.floats(0.02, 0.95), data=st.data())
def test_the_expected_length_is_the_room_whatever_the_logits(
    logits: list[float], share: float, data: st.DataObject
) -> None:
    weights = torch.tensor(logits, dtype=torch.float64)
    tokens = torch.tensor(
        data.draw(st.lists(st.integers(1, 20), min_size=len(logits), max_size=len(logits))),
        dtype=torch.float64,
    )
    room = share * float(tokens.sum())
    found = at_expected_length(weights, tokens, room)
    assert float(found.sigmoid() @ tokens) == pytest.approx(room, rel=1e-4)
    torch.testing.assert_close(found - found[0], weights - weights[0])


def test_the_gradient_is_that_of_the_function() -> None:
    tokens = torch.tensor([3.0, 8.0, 5.0, 12.0], dtype=torch.float64)
    weights = torch.tensor([0.3, -1.0, 2.0, 0.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: at_expected_length(x, tokens, 9.0), (weights,), eps=1e-4, atol=1e-4
    )


def test_without_phrases_there_is_nothing_to_choose_and_with_too_few_all_are_chosen() -> None:
    assert len(at_expected_length(torch.zeros(0), torch.zeros(0), 12)) == 0
    chosen = at_expected_length(torch.tensor([-3.0, 4.0]), torch.tensor([2.0, 3.0]), 12).sigmoid()
    assert (chosen > 0.99).all()


@given(logits=LOGITS, factor=st.floats(1.0, 50.0))
def test_a_larger_spread_of_the_same_order_draws_the_same_choices(logits: list[float], factor: float) -> None:
    weights = torch.tensor(logits, dtype=torch.float64)
    found = of_one_spread(weights)
    assert float(found.mean()) == pytest.approx(0.0, abs=1e-9)
    assert float(found.std(unbiased=False)) <= SPREAD
    assert (found[weights.argsort()].diff() >= -1e-12).all()
    if float(weights.std(unbiased=False)) > 3:
        torch.testing.assert_close(of_one_spread(factor * weights), found, atol=0.05, rtol=0.05)


def test_logits_that_are_all_alike_stay_alike_and_have_a_gradient() -> None:
    weights = torch.full((4,), 0.7, dtype=torch.float64, requires_grad=True)
    assert of_one_spread(weights).abs().max() < 1e-12
    assert len(of_one_spread(torch.zeros(0))) == 0
    assert torch.autograd.gradcheck(of_one_spread, (weights,))
