"""Muon for weight matrices, AdamW for the rest, and a learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from training.components.finite import check_number

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration that drives all singular values towards 1 (Jordan et al., Muon)."""


def orthogonalized(matrices_BMN: Tensor, steps: int = 5) -> Tensor:
    """Each matrix with its singular values pushed to about 1 (0.7 to 1.2)."""
    a, b, c = NEWTON_SCHULZ
    x = matrices_BMN / (matrices_BMN.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if tall else x
    return result


_TABLES = {"embed_tokens", "lm_head"}
"""Modules whose matrix has a row for each token; Muon takes only matrices inside blocks."""


class Muon:
    """Momentum orthogonalized, for the matrices inside the blocks; equal shapes go through one batched product."""

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float = 0.95) -> None:
        self._momentum = momentum
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for parameter in parameters:
            by_shape.setdefault(parameter.shape, []).append(parameter)
        self._groups = [
            (group, torch.zeros(len(group), *shape, dtype=group[0].dtype, device=group[0].device))
            for shape, group in by_shape.items()
        ]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move each matrix by `rate` times its orthogonalized Nesterov momentum."""
        for group, buffer in self._groups:
            grads = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in group])
            buffer.lerp_(grads, 1 - self._momentum)
            update = orthogonalized(grads.lerp(buffer, self._momentum))
            scale = max(1.0, update.shape[-2] / update.shape[-1]) ** 0.5
            for parameter, move in zip(group, update, strict=True):
                parameter.add_(move, alpha=-rate * scale)

    def state_dict(self) -> list[Tensor]:
        """The momenta, one tensor per shape."""
        return [buffer for _, buffer in self._groups]

    def load_state_dict(self, momenta: list[Tensor]) -> None:
        """Restore the momenta that `state_dict` gave."""
        for (_, buffer), momentum in zip(self._groups, momenta, strict=True):
            buffer.copy_(momentum)


class Optimizer:
    """Muon for the matrices of blocks and AdamW for the rest, behind one `step`.

    With `matrix_rate` None AdamW takes the matrices too. `table_share` scales the rate of embedding tables.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        matrix_rate: float | None = 0.012,
        vector_rate: float = 1.5e-3,
        table_share: float = 0.3,
        weight_decay: float = 0.0,
        clip: float = 1.0,
    ) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        tables = [p for name, p in named if p.ndim == 2 and _TABLES & {*name.split(".")}]
        known = {id(p) for p in tables}
        matrices = [p for _, p in named if id(p) not in known and p.ndim == 2]
        vectors = [p for _, p in named if p.ndim != 2]
        self._muon = Muon(matrices if matrix_rate is not None else [])
        self._rates = (matrix_rate or 0.0, vector_rate)
        groups: list[dict[str, Any]] = [
            {"params": vectors, "share": 1.0},
            # The table starts from good vectors: a smaller rate keeps words not trained on near similar words.
            {"params": tables, "share": table_share},
            {"params": matrices if matrix_rate is None else [], "share": 1.0, "weight_decay": weight_decay},
        ]
        # torch refuses an optimizer without parameters, and a model may have matrices alone
        nothing = {"params": [nn.Parameter(torch.zeros(0))], "share": 0.0}
        groups = [group for group in groups if group["params"]] or [nothing]
        self._adam = torch.optim.AdamW(groups, lr=vector_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self._parameters, self._clip = [p for _, p in named], clip

    def step(self, factor: float) -> float:
        """Update the weights at `factor` times the rates and clear the gradients; return their norm before clipping.

        TrainingDiverged, and no update, for gradients that are not finite: one step with them would spoil all weights.
        """
        norm = torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        if isinstance(norm, DTensor):
            # With sharded weights each process holds only a part of the norm.
            norm = norm.full_tensor()
        check_number(float(norm), "the norm of the gradients")
        torch.nn.utils.clip_grads_with_norm_(self._parameters, self._clip, norm)
        self._muon.step(self._rates[0] * factor)
        for group in self._adam.param_groups:
            group["lr"] = self._rates[1] * factor * group["share"]
        self._adam.step()
        for parameter in self._parameters:
            parameter.grad = None
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        """The state for a resumed run; with sharded weights every process must call, and each gets it whole."""
        adam = self._adam.state_dict()
        state = {
            place: {name: _gathered(value) for name, value in values.items()}
            for place, values in adam["state"].items()
        }
        return {"muon": self._muon.state_dict(), "adam": {**adam, "state": state}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` gave."""
        self._muon.load_state_dict(state["muon"])
        adam = state["adam"]
        owners = [parameter for group in self._adam.param_groups for parameter in group["params"]]
        found = {
            place: {name: _spread(value, owners[place]) for name, value in values.items()}
            for place, values in adam["state"].items()
        }
        self._adam.load_state_dict({**adam, "state": found})


def _gathered(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def _spread(value: Any, owner: nn.Parameter) -> Any:
    """Shard a state tensor as its weights are; a scalar, such as the count of steps, stays whole."""
    if not isinstance(owner, DTensor) or value.shape != owner.shape:
        return value
    on_device = value.to(owner.device_mesh.device_type)
    return distribute_tensor(on_device, owner.device_mesh, owner.placements, src_data_rank=None)


def schedule(done: float, warmup: float = 0.02, cooldown: float = 0.5) -> float:
    """The learning rate's factor in [0, 1] at a share `done` of the run: linear warm-up, plateau, linear fall to 4%."""
    rise = min(1.0, (done + 1e-3) / warmup)
    fall = min(1.0, max(0.0, 1 - done) / cooldown)
    return rise * (0.04 + 0.96 * fall)
