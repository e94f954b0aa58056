"""Whole small models: streamed calibration, padding, blocks that go and come back."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from models.pruning import checkpoint as checkpoints
from models.pruning import osscar
from models.pruning.calibration import CalibrationSet, padded
from models.pruning.config import CalibrationSize, MlpPruning, Osscar
from models.pruning.layer_drop import drop_layers, kept_layers, without
from models.pruning.mlp import Hessian, prune_mlps
from models.pruning.sensitivity import Scan, scan
from models.pruning.states import FileStates, MemoryStates
from schemas.errors import ConfigError

LENGTHS = (3, 20, 7, 31, 12, 20, 5, 28)


@pytest.fixture
def model(checkpoint: Path) -> Any:
    return checkpoints.load(checkpoint).model


def prompts(count: int = 40) -> list[list[int]]:
    rng = Random(0)
    return [[rng.randrange(2, 300) for _ in range(LENGTHS[n % len(LENGTHS)])] for n in range(count)]


def calibration(batch_tokens: int = 128, tokens: int = 10_000) -> CalibrationSet:
    return CalibrationSet(prompts(), CalibrationSize(tokens=tokens, batch_tokens=batch_tokens))


def weights(model: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def logits(model: Any, ids: list[int]) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(input_ids=torch.tensor([ids]), use_cache=False).logits
    return found


def by_hand(model: Any, keep: int) -> list[tuple[list[int], Tensor]]:
    """The same by stock forwards: for each layer hook its inputs, one prompt at a time, solve, put in place."""
    out = []
    for layer in model.model.layers:
        seen: list[Tensor] = []
        hook = layer.mlp.down_proj.register_forward_pre_hook(
            lambda _, given, seen=seen: seen.append(given[0][0])
        )
        for ids in prompts():
            logits(model, ids)
        hook.remove()
        inputs_TP = torch.cat(seen).double()
        pruned = osscar.prune_plainly(inputs_TP.T @ inputs_TP, layer.mlp.down_proj.weight.T, keep)
        new = torch.zeros_like(layer.mlp.down_proj.weight)
        new[:, pruned.kept_K] = pruned.weights_KD.T.float()
        layer.mlp.down_proj.weight.data = new
        out.append((pruned.kept_K.tolist(), pruned.weights_KD))
    return out


def test_layers_are_pruned_in_sequence_on_what_pruned_layers_leave(checkpoint: Path, model: Any) -> None:
    expected = by_hand(checkpoints.load(checkpoint).model, 24)
    before = weights(model)
    prune_mlps(model, calibration(), MemoryStates(), MlpPruning(keep=0.5))
    for number, (kept, rows_KD) in enumerate(expected):
        mlp = model.model.layers[number].mlp
        assert torch.equal(mlp.gate_proj.weight, before[f"model.layers.{number}.mlp.gate_proj.weight"][kept])
        assert torch.equal(mlp.up_proj.weight, before[f"model.layers.{number}.mlp.up_proj.weight"][kept])
        assert torch.allclose(mlp.down_proj.weight.T, rows_KD.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 64, 100_000])
def test_neither_padding_nor_the_size_of_batches_changes_what_is_kept(
    checkpoint: Path, model: Any, batch_tokens: int
) -> None:
    other = checkpoints.load(checkpoint).model
    one = prune_mlps(model, calibration(), MemoryStates(), MlpPruning())
    two = prune_mlps(other, calibration(batch_tokens), MemoryStates(), MlpPruning())
    assert [r.error for r in one] == pytest.approx([r.error for r in two], rel=1e-4)
    assert all(torch.allclose(a, weights(other)[name], atol=1e-4) for name, a in weights(model).items())


def test_states_on_disk_are_those_in_memory_and_the_file_goes(
    checkpoint: Path, model: Any, tmp_path: Path
) -> None:
    other = checkpoints.load(checkpoint).model
    prune_mlps(model, calibration(), MemoryStates(), MlpPruning())
    with FileStates(tmp_path / "states") as states:
        prune_mlps(other, calibration(), states, MlpPruning())
        assert (tmp_path / "states").stat().st_size == calibration_tokens() * 32 * 4
    assert list(tmp_path.iterdir()) == []
    assert all(torch.equal(a, weights(other)[name]) for name, a in weights(model).items())


def calibration_tokens() -> int:
    return sum(map(len, prompts()))


def test_states_of_any_dtype_come_back_from_the_file(tmp_path: Path) -> None:
    with FileStates(tmp_path / "states") as states:
        first, second = torch.randn(5, 8).bfloat16(), torch.randn(3, 8).bfloat16()
        states.append(first)
        states.append(second)
        states.write(0, first + 1)
        assert torch.equal(states.read(0), first + 1)
        assert torch.equal(states.read(1), second)


def test_a_full_disk_under_the_states_is_named(tmp_path: Path) -> None:
    (tmp_path / "states").symlink_to("/dev/full")
    with (
        FileStates(tmp_path / "states") as states,
        pytest.raises(ConfigError, match=r"no room .*No space left.*--scratch"),
    ):
        states.append(torch.zeros(4, 8))


def test_a_hessian_of_many_batches_is_that_of_one() -> None:
    inputs_TP = torch.randn(1000, 16)
    one, many = Hessian(16, torch.device("cpu")), Hessian(16, torch.device("cpu"))
    one.add(inputs_TP)
    for begin in range(0, 1000, 37):
        many.add(inputs_TP[begin : begin + 37])
    assert torch.allclose(one.sum_PP, many.sum_PP, rtol=1e-6, atol=1e-4)
    assert one.tokens == many.tokens == 1000


def test_a_better_choice_of_neurons_loses_less_of_the_layer(checkpoint: Path, model: Any) -> None:
    def magnitude(hessian_PP: Tensor, weights_PD: Tensor, kept: int) -> osscar.Pruned:
        rows = weights_PD.norm(dim=1).topk(kept).indices.sort().values
        return osscar.least_squares(hessian_PP, weights_PD, rows, 0.01)

    ours = prune_mlps(model, calibration(), MemoryStates(), MlpPruning())
    other = checkpoints.load(checkpoint).model
    theirs = prune_mlps(other, calibration(), MemoryStates(), MlpPruning(), solve=magnitude)
    assert ours[0].error < theirs[0].error


def test_later_layers_see_weights_rounded_to_the_stored_dtype(model: Any) -> None:
    prune_mlps(model, calibration(), MemoryStates(), MlpPruning(), dtype=torch.bfloat16)
    for layer in model.model.layers:
        down = layer.mlp.down_proj.weight
        assert down.dtype == torch.float32
        assert torch.equal(down, down.bfloat16().float())


def test_a_calibration_set_smaller_than_the_layer_says_how_many_tokens_are_needed(model: Any) -> None:
    few = CalibrationSet(prompts()[:1])
    with pytest.raises(ConfigError, match="3 tokens, a layer keeps 24 neurons: give at least 24"):
        prune_mlps(model, few, MemoryStates(), MlpPruning())


def test_an_empty_calibration_set_is_refused(model: Any) -> None:
    with pytest.raises(ConfigError, match="has 0 tokens"):
        prune_mlps(model, CalibrationSet([]), MemoryStates(), MlpPruning())


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_refused(keep: float) -> None:
    with pytest.raises(ConfigError, match="keep is a share"):
        MlpPruning(keep=keep)


def test_calibration_stops_at_its_tokens_and_is_named_by_them() -> None:
    def endless() -> Iterator[list[int]]:
        while True:
            yield [1, 2, 3, 4]

    one, two, other = (
        CalibrationSet(endless(), CalibrationSize(tokens=100)),
        CalibrationSet(endless(), CalibrationSize(tokens=97)),
        CalibrationSet(endless(), CalibrationSize(tokens=104)),
    )
    for each in (one, two, other):
        assert all(len(batch) * 4 <= 8192 for batch in each.batches())
    assert (one.tokens, one.prompts) == (two.tokens, two.prompts) == (100, 25)
    assert one.sha256 == two.sha256 != other.sha256


def test_padding_is_on_the_right_and_masked() -> None:
    ids_NW, real_NW = padded([[5, 6, 7], [8]])
    assert ids_NW.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert real_NW.tolist() == [[True, True, True], [True, False, False]]


def test_dropping_blocks_equals_a_forward_without_them(checkpoint: Path, model: Any) -> None:
    other = checkpoints.load(checkpoint).model
    drop_layers(other, [0])
    model.model.layers[0].register_forward_hook(lambda _, given, __: given[0])
    assert torch.allclose(logits(other, [5, 6, 7, 8]), logits(model, [5, 6, 7, 8]), atol=1e-6)
    assert (other.config.num_hidden_layers, other.config.layer_types) == (1, ["full_attention"])
    assert other.model.layers[0].self_attn.layer_idx == 0


def test_a_model_generates_with_its_cache_after_a_drop(model: Any) -> None:
    drop_layers(model, [0])
    ids = torch.tensor([[5, 6, 7, 8]])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False, pad_token_id=0
    )
    step = logits(model, out[0, :-1].tolist())[0, -1].argmax()
    assert int(out[0, -1]) == int(step)


def test_blocks_that_are_taken_out_for_a_while_come_back(model: Any) -> None:
    before = logits(model, [5, 6, 7])
    with without(model, [1]):
        assert not torch.allclose(logits(model, [5, 6, 7]), before)
    assert torch.equal(logits(model, [5, 6, 7]), before)
    assert [layer.self_attn.layer_idx for layer in model.model.layers] == [0, 1]


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        ([4], "no block 4: the model has blocks 0 to 3"),
        ([-1], "no block -1"),
        ([1, 1], "twice"),
        ([0, 1, 2, 3], "leaves no model"),
    ],
)
def test_a_list_of_blocks_that_cannot_be_dropped_is_refused(drop: list[int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        kept_layers(4, drop)


def test_any_set_of_blocks_can_go() -> None:
    assert kept_layers(6, [5, 0, 3]) == [1, 2, 4]


def test_a_scan_measures_the_whole_model_and_each_block_gone(model: Any) -> None:
    def metric(model: Any) -> npt.NDArray[np.float64]:
        return np.array([float(logits(model, [5, 6, 7, last])[0, -1, 3]) for last in (8, 9)])

    found = scan(model, metric)
    assert found.whole_Q.tolist() == metric(model).tolist()
    for block in range(2):
        with without(model, [block]):
            assert found.without_BQ[block].tolist() == metric(model).tolist()
    assert found.without == pytest.approx(found.without_BQ.mean(axis=1).tolist())


def test_the_least_blocks_are_those_whose_removal_costs_least() -> None:
    found = Scan(whole_Q=np.array([0.9]), without_BQ=np.array([[0.5], [0.89], [0.91], [0.89]]))
    assert found.least(1) == [2]
    assert found.least(2) == [2, 3]
    assert found.changes() == pytest.approx([-0.4, -0.01, 0.01, -0.01])
    with pytest.raises(ConfigError, match="cannot drop 4 of 4"):
        found.least(4)


def test_neurons_are_kept_by_share_and_never_none() -> None:
    assert [MlpPruning(keep=keep).kept(48) for keep in (0.5, 1, 0.01)] == [24, 48, 1]
    assert MlpPruning(osscar=Osscar(step=8)).osscar.step == 8
