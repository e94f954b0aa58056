"""Prune the MLPs of a whole model with OSSCAR, layer by layer, each on activations of the pruned layers before it.

Every batch of calibration tokens passes each layer once. For layer i the stored states are the residual stream after
its attention; the next pass adds the output of layer i's MLP, which is pruned by then, and computes the attention of
layer i + 1. Memory holds the weights, one Hessian with its solution, and one batch. Prompts are padded on the right,
which a causal model does not read, and stored without padding, so that padding is in no Hessian.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.pruning import osscar
from models.pruning.calibration import CalibrationSet, padded
from models.pruning.config import MlpPruning
from models.pruning.osscar import Pruned
from models.pruning.states import States
from schemas.errors import ConfigError

Solve = Callable[[Tensor, Tensor, int], Pruned]
"""(H [p, p], B [p, d], kept) -> what is kept: OSSCAR, or another method to compare with."""
Progress = Callable[[str], None]
CHUNK_TOKENS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """Result for one layer: `kept` of `of` neurons; `error` is ‖X(B−W)‖² / ‖XB‖² on its calibration inputs."""

    layer: int
    kept: int
    of: int
    error: float
    seconds: float


class Hessian:
    """Σ xxᵀ over tokens, [p, p]: the products of a chunk in fp32, their sum in fp64."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.sum_PP = torch.zeros(size, size, dtype=torch.float64, device=device)
        self.tokens = 0

    def add(self, inputs_TP: Tensor) -> None:
        """Add the inputs of further tokens, [T, p]."""
        for begin in range(0, len(inputs_TP), CHUNK_TOKENS):
            exact_TP = inputs_TP[begin : begin + CHUNK_TOKENS].float()
            self.sum_PP += exact_TP.T @ exact_TP
        self.tokens += len(inputs_TP)


def prune_mlps(
    model: Any,
    calibration: CalibrationSet,
    states: States,
    config: MlpPruning,
    *,
    dtype: torch.dtype | None = None,
    solve: Solve | None = None,
    progress: Progress = lambda _: None,
) -> list[LayerReport]:
    """Prune a transformers model in place.

    `dtype` is what it will be stored in: weights are rounded to it at once, so that later layers are solved for that.
    ConfigError if the calibration set has fewer tokens than a layer keeps neurons: least squares would fit these
    tokens exactly and generalize to no others, damped or not.
    """
    size = int(model.config.intermediate_size)
    kept = config.kept(size)
    solve = solve or (
        lambda hessian_PP, weights_PD, k: osscar.prune(hessian_PP, weights_PD, k, config.osscar)
    )
    walk = _LayerInputs(model, calibration, states)
    progress(f"{calibration.tokens} calibration tokens in {calibration.prompts} prompts")
    if calibration.tokens < kept:
        raise ConfigError(
            f"the calibration set has {calibration.tokens} tokens, a layer keeps {kept} neurons: "
            f"give at least {kept} tokens, better {10 * kept}"
        )
    reports = []
    for number, layer in enumerate(model.model.layers):
        begun = time.monotonic()
        pruned = solve(_sound(walk.hessian(number), number), layer.mlp.down_proj.weight.detach().T, kept)
        shrink(layer.mlp, pruned, dtype)
        reports.append(
            LayerReport(
                layer=number, kept=kept, of=size, error=pruned.error, seconds=time.monotonic() - begun
            )
        )
        progress(_line(reports[-1], len(model.model.layers)))
    model.config.intermediate_size = kept
    return reports


def shrink(mlp: Any, pruned: Pruned, dtype: torch.dtype | None = None) -> None:
    """Keep rows S of gate and up, and replace down by its solved columns, rounded to `dtype`."""
    down = pruned.weights_KD.T.to(dtype or mlp.down_proj.weight.dtype)
    new = {
        "gate_proj": mlp.gate_proj.weight[pruned.kept_K],
        "up_proj": mlp.up_proj.weight[pruned.kept_K],
        "down_proj": down.to(mlp.down_proj.weight.dtype),
    }
    for name, weight in new.items():
        linear = getattr(mlp, name)
        linear.weight = nn.Parameter(weight.detach().clone(), requires_grad=linear.weight.requires_grad)
        linear.out_features, linear.in_features = weight.shape
    mlp.intermediate_size = len(pruned.kept_K)


class _LayerInputs:
    """Takes all batches through the layers, one layer at a time, and measures the inputs of that layer's MLP."""

    def __init__(self, model: Any, calibration: CalibrationSet, states: States) -> None:
        self._body, self._states = model.model, states
        self._lengths: list[list[int]] = []
        with torch.inference_mode():
            for prompts in calibration.batches():
                ids_NW, real_NW = padded(prompts)
                embedded_NWD = self._body.embed_tokens(ids_NW.to(self._device()))
                self._states.append(embedded_NWD[real_NW.to(self._device())])
                self._lengths.append([len(ids) for ids in prompts])

    def hessian(self, number: int) -> Tensor:
        """Pass all batches through the previous MLP and this layer's attention; return XᵀX of this MLP's inputs."""
        layer = self._body.layers[number]
        hessian = Hessian(layer.mlp.down_proj.in_features, self._device())
        with torch.inference_mode():
            for inputs_TP in self._inputs(number):
                hessian.add(inputs_TP)
        return hessian.sum_PP.clone()  # copied outside inference mode: an ordinary tensor

    def _inputs(self, number: int) -> Iterator[Tensor]:
        layer = self._body.layers[number]
        before = self._body.layers[number - 1] if number else None
        for batch, lengths in enumerate(self._lengths):
            states_TD = self._states.read(batch)
            if before is not None:
                states_TD = states_TD + before.mlp(before.post_attention_layernorm(states_TD))
            states_TD = states_TD + self._attention(layer, states_TD, lengths)
            self._states.write(batch, states_TD)
            normal_TD = layer.post_attention_layernorm(states_TD)
            mlp = layer.mlp
            yield mlp.act_fn(mlp.gate_proj(normal_TD)) * mlp.up_proj(normal_TD)

    def _attention(self, layer: Any, states_TD: Tensor, lengths: list[int]) -> Tensor:
        real_NW = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).to(states_TD.device)
        padded_NWD = states_TD.new_zeros(*real_NW.shape, states_TD.shape[1])
        padded_NWD[real_NW] = layer.input_layernorm(states_TD)
        places = torch.arange(real_NW.shape[1], device=states_TD.device)[None]
        attended_NWD, _ = layer.self_attn(
            hidden_states=padded_NWD,
            position_embeddings=self._body.rotary_emb(padded_NWD, places),
            attention_mask=None,
        )
        return attended_NWD[real_NW]  # type: ignore[no-any-return]

    def _device(self) -> torch.device:
        device: torch.device = self._body.embed_tokens.weight.device
        return device


def _sound(hessian_PP: Tensor, layer: int) -> Tensor:
    """Return a Hessian; ConfigError unless it is finite: the calibration set would decide nothing."""
    if not torch.isfinite(hessian_PP).all():
        raise ConfigError(f"layer {layer}: what its MLP gets of the calibration set is not finite in fp32")
    return hessian_PP


def _line(report: LayerReport, layers: int) -> str:
    return (
        f"layer {report.layer} of {layers}: kept {report.kept} of {report.of}, "
        f"error {report.error:.2%}, {report.seconds:.1f} s"
    )
