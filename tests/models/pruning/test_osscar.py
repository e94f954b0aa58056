"""OSSCAR on one layer: against every subset, against its own formulas, against the normal equations."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.pruning import osscar
from models.pruning.config import Osscar
from models.pruning.osscar import Pruned, least_squares, prune, prune_plainly
from schemas.errors import ConfigError


def problem(seed: int, size: int = 12, width: int = 5, tokens: int = 60) -> tuple[Tensor, Tensor, Tensor]:
    """Correlated inputs X [tokens, size], their XᵀX, and weights [size, width]."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(tokens, size, generator=generator, dtype=torch.float64)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    inputs_TP = mixed @ (mixing + torch.eye(size))
    return inputs_TP, inputs_TP.T @ inputs_TP, torch.randn(size, width, generator=generator).double()


def objective(hessian_PP: Tensor, weights_PD: Tensor, pruned: Pruned, damping: float) -> float:
    """½Tr((W−B)ᵀH(W−B)), H damped: what OSSCAR makes small."""
    lost_PD = -weights_PD.clone()
    lost_PD[pruned.kept_K] += pruned.weights_KD
    return 0.5 * float((lost_PD * (osscar.damp(hessian_PP, damping) @ lost_PD)).sum())


seeds = st.integers(0, 10_000)


def of_all_subsets(hessian_PP: Tensor, weights_PD: Tensor, kept: int) -> list[float]:
    return [
        objective(
            hessian_PP, weights_PD, least_squares(hessian_PP, weights_PD, torch.tensor(rows), 0.01), 0.01
        )
        for rows in itertools.combinations(range(len(weights_PD)), kept)
    ]


@settings(max_examples=30)
@given(seeds, st.integers(1, 7))
def test_no_choice_is_better_than_the_best_of_all_subsets(seed: int, kept: int) -> None:
    _, hessian_PP, weights_PD = problem(seed, size=8)
    ours = objective(hessian_PP, weights_PD, prune(hessian_PP, weights_PD, kept), 0.01)
    every = of_all_subsets(hessian_PP, weights_PD, kept)
    assert min(abs(ours - one) for one in every) <= 1e-9 * ours
    assert min(every) <= ours * (1 + 1e-9)


def test_the_greedy_choice_is_mostly_near_the_best_of_all_subsets() -> None:
    ratios = []
    for seed in range(20):
        _, hessian_PP, weights_PD = problem(seed, size=8)
        ours = objective(hessian_PP, weights_PD, prune(hessian_PP, weights_PD, 4), 0.01)
        ratios.append(ours / min(of_all_subsets(hessian_PP, weights_PD, 4)))
    assert sorted(ratios)[10] < 1.05


@given(seeds)
def test_removing_one_neuron_finds_the_best_one(seed: int) -> None:
    _, hessian_PP, weights_PD = problem(seed)
    every = [torch.tensor([row for row in range(12) if row != gone]) for gone in range(12)]
    costs = [
        objective(hessian_PP, weights_PD, least_squares(hessian_PP, weights_PD, rows, 0.01), 0.01)
        for rows in every
    ]
    ours = prune(hessian_PP, weights_PD, 11)
    assert objective(hessian_PP, weights_PD, ours, 0.01) == pytest.approx(min(costs), rel=1e-9)


@given(seeds, st.integers(1, 12), st.integers(1, 5), st.integers(1, 7))
def test_the_quick_way_is_the_plain_way(seed: int, kept: int, step: int, lazy: int) -> None:
    _, hessian_PP, weights_PD = problem(seed)
    config = Osscar(step=step, lazy=lazy)
    quick = prune(hessian_PP, weights_PD, kept, config)
    plain = prune_plainly(hessian_PP, weights_PD, kept, config)
    assert quick.kept_K.tolist() == plain.kept_K.tolist()
    assert torch.allclose(quick.weights_KD, plain.weights_KD, rtol=1e-9, atol=1e-12)
    assert quick.error == pytest.approx(plain.error, rel=1e-9)


def test_the_quick_way_is_the_plain_way_on_a_larger_layer() -> None:
    _, hessian_PP, weights_PD = problem(1, size=200, width=32, tokens=1500)
    quick, plain = prune(hessian_PP, weights_PD, 90), prune_plainly(hessian_PP, weights_PD, 90)
    assert quick.kept_K.tolist() == plain.kept_K.tolist()
    assert torch.allclose(quick.weights_KD, plain.weights_KD, rtol=1e-8, atol=1e-10)


@given(seeds, st.integers(1, 11), st.sampled_from([0.0, 0.01, 0.2]))
def test_the_kept_weights_solve_the_normal_equations(seed: int, kept: int, damping: float) -> None:
    _, hessian_PP, weights_PD = problem(seed)
    pruned = prune(hessian_PP, weights_PD, kept, Osscar(damping=damping))
    damped_PP = osscar.damp(hessian_PP, damping)
    rows = pruned.kept_K
    gradient_KD = damped_PP[rows][:, rows] @ pruned.weights_KD - damped_PP[rows] @ weights_PD
    assert float(gradient_KD.abs().max()) < 1e-8 * float(damped_PP.abs().max())


@given(seeds, st.integers(1, 11))
def test_the_error_is_what_the_outputs_lose(seed: int, kept: int) -> None:
    inputs_TP, hessian_PP, weights_PD = problem(seed)
    pruned = prune(hessian_PP, weights_PD, kept)
    outputs_TD = inputs_TP @ weights_PD
    lost_TD = outputs_TD - inputs_TP[:, pruned.kept_K] @ pruned.weights_KD
    assert pruned.error == pytest.approx(float(lost_TD.square().sum() / outputs_TD.square().sum()), rel=1e-6)


def test_dead_neurons_go_first_and_cost_nothing() -> None:
    inputs_TP, _, weights_PD = problem(3)
    inputs_TP[:, [2, 7, 9]] = 0
    weights_PD[[2, 7, 9]] *= 100
    pruned = prune(inputs_TP.T @ inputs_TP, weights_PD, 9, Osscar(damping=0.01))
    assert sorted(set(range(12)) - set(pruned.kept_K.tolist())) == [2, 7, 9]
    assert pruned.error < 1e-20


def test_dead_neurons_need_no_damping_when_all_of_them_go() -> None:
    inputs_TP, _, weights_PD = problem(4)
    inputs_TP[:, [0, 5]] = 0
    kept = prune(inputs_TP.T @ inputs_TP, weights_PD, 6, Osscar(damping=0)).kept_K.tolist()
    assert len(kept) == 6
    assert not {0, 5} & set(kept)


def test_keeping_all_neurons_changes_nothing() -> None:
    _, hessian_PP, weights_PD = problem(5)
    pruned = prune(hessian_PP, weights_PD, 12)
    assert pruned.kept_K.tolist() == list(range(12))
    assert torch.equal(pruned.weights_KD, weights_PD)


def test_a_singular_hessian_says_what_to_do() -> None:
    inputs_TP, _, weights_PD = problem(6, tokens=5)
    with pytest.raises(ConfigError, match="more calibration tokens, or a damping"):
        prune(inputs_TP.T @ inputs_TP, weights_PD, 6, Osscar(damping=0))


@pytest.mark.parametrize(
    ("changed", "named"), [({"step": 0}, "step"), ({"lazy": 0}, "lazy"), ({"damping": -0.1}, "damping")]
)
def test_a_setting_out_of_range_is_named(changed: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Osscar(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", [0, 13])
def test_a_number_of_neurons_that_cannot_be_kept_is_named(kept: int) -> None:
    _, hessian_PP, weights_PD = problem(7)
    with pytest.raises(ConfigError, match=f"keep {kept} of 12"):
        prune(hessian_PP, weights_PD, kept)
