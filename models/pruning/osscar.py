"""OSSCAR (Meng et al., ICML 2024) on one MLP: choose the hidden neurons to keep and solve for their new weights.

With B [p, d] the transposed down projection, H [p, p] the damped Hessian of its inputs and G = HB, choose k rows S
and W_S that minimise ½Tr(WᵀHW) − Tr(WᵀG), which is ½Tr((W−B)ᵀH(W−B)) up to a constant. Greedy from P = H⁻¹, W = B:
removing row j costs ‖W_j‖² / (2 P_jj); after a step that removes R, W −= P_:R M W_R and P −= P_:R M P_R: with
M = P_RR⁻¹. At the end W_S = H_SS⁻¹ G_S. Everything here is fp64.

`prune_plainly` does exactly that. `prune` is faster and gives the same: costs need only the diagonals of P and of the
Gram matrix K = WWᵀ, and a removal needs only the rows R of both, so the search runs on [p, p] matrices and solves for
W once, at the end. Updates are buffered and applied to both matrices in one product after `lazy` removals.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.pruning.config import Osscar
from schemas.errors import ConfigError

COMPACT = 4
"""Rows and columns of removed neurons are cut out once they are one part in so many of the matrices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Kept neurons, ascending [k]; their new rows of B [k, d]; the error ‖X(B−W)‖² / ‖XB‖², undamped."""

    kept_K: Tensor
    weights_KD: Tensor
    error: float


def prune(hessian_PP: Tensor, weights_PD: Tensor, kept: int, config: Osscar | None = None) -> Pruned:
    """Keep `kept` rows of B [p, d]; `hessian_PP` is XᵀX. ConfigError if it is singular and damping is 0."""
    config = config or Osscar()
    weights_PD = weights_PD.double()
    damped_PP = damp(hessian_PP, config.damping)
    alive = _without_dead(hessian_PP, kept)
    greedy = _Greedy(damped_PP[alive][:, alive], weights_PD[alive], max(config.lazy, config.step))
    while (left := len(alive) - greedy.removed - kept) > 0:
        greedy.remove(min(config.step, left))
    return least_squares(hessian_PP, weights_PD, alive[greedy.remaining()], config.damping)


def prune_plainly(hessian_PP: Tensor, weights_PD: Tensor, kept: int, config: Osscar | None = None) -> Pruned:
    """Do what `prune` does by the formulas as they are: for tests, and to measure what `prune` saves."""
    config = config or Osscar()
    original_PD = weights_PD.double()
    alive = _without_dead(hessian_PP, kept)
    inverse_PP = _inverse(damp(hessian_PP, config.damping)[alive][:, alive])
    weights_PD = original_PD[alive].clone()
    left = torch.ones(len(alive), dtype=torch.bool, device=alive.device)
    while (more := int(left.sum()) - kept) > 0:
        scores = (weights_PD.square().sum(1) / (2 * inverse_PP.diagonal())).masked_fill(~left, torch.inf)
        chosen = scores.topk(min(config.step, more), largest=False).indices
        carried_PR = inverse_PP[:, chosen] @ torch.linalg.inv(inverse_PP[chosen][:, chosen])
        weights_PD = weights_PD - carried_PR @ weights_PD[chosen]
        inverse_PP = inverse_PP - carried_PR @ inverse_PP[chosen]
        left[chosen] = False
    return least_squares(hessian_PP, original_PD, alive[left], config.damping)


def least_squares(hessian_PP: Tensor, weights_PD: Tensor, kept_K: Tensor, damping: float) -> Pruned:
    """Solve for the best rows of a given choice, W_S = H_SS⁻¹ G_S = B_S + H_SS⁻¹ H_SR B_R, and their error."""
    weights_PD = weights_PD.double()
    damped_PP = damp(hessian_PP, damping)
    gone = torch.ones(len(weights_PD), dtype=torch.bool, device=kept_K.device)
    gone[kept_K] = False
    kept_PP, cross_KR = damped_PP[kept_K][:, kept_K], damped_PP[kept_K][:, gone]
    moved_KD = torch.cholesky_solve(cross_KR @ weights_PD[gone], _cholesky(kept_PP))
    pruned_KD = weights_PD[kept_K] + moved_KD
    return Pruned(
        kept_K=kept_K,
        weights_KD=pruned_KD,
        error=reconstruction_error(hessian_PP, weights_PD, kept_K, pruned_KD),
    )


def reconstruction_error(hessian_PP: Tensor, weights_PD: Tensor, kept_K: Tensor, pruned_KD: Tensor) -> float:
    """Return ‖X(B−W)‖² / ‖XB‖² of any rows in the place of the kept ones."""
    lost_PD = weights_PD.double().clone()
    lost_PD[kept_K] -= pruned_KD.double()
    whole = _energy(hessian_PP, weights_PD.double())
    return _energy(hessian_PP, lost_PD) / whole if whole else 0.0


def damp(hessian_PP: Tensor, damping: float) -> Tensor:
    """Return H + λ·mean(diag H)·I in fp64."""
    damped_PP = hessian_PP.double().clone()
    damped_PP.diagonal().add_(damping * float(damped_PP.diagonal().mean()))
    return damped_PP


class _Greedy:
    """The greedy search: P and K of the neurons that are left, without the updates that are still in the buffers."""

    def __init__(self, damped_PP: Tensor, weights_PD: Tensor, size: int) -> None:
        self._inverse_PP = _inverse(damped_PP)
        self._gram_PP = weights_PD @ weights_PD.T
        self._diagonals_2P = torch.stack((self._gram_PP.diagonal(), self._inverse_PP.diagonal()))
        self._rows = torch.arange(len(weights_PD), device=weights_PD.device)
        self._gone = torch.zeros_like(self._rows, dtype=torch.bool)
        self._u_MP = self._gram_PP.new_empty(size, len(weights_PD))
        self._az_M2P = self._gram_PP.new_empty(size, 2, len(weights_PD))
        self._pending = self.removed = 0

    def remaining(self) -> Tensor:
        """Return the indices of the neurons that are left, ascending."""
        return self._rows[~self._gone]

    def remove(self, count: int) -> None:
        """Remove the `count` neurons whose removal costs least."""
        if self._pending + count > len(self._u_MP):
            self._flush()
        gram, inverse = self._diagonals_2P
        scores = (gram / inverse).masked_fill_(self._gone, torch.inf)
        chosen = scores.topk(count, largest=False).indices if count > 1 else scores.argmin().unsqueeze(0)
        self._gone[chosen] = True
        self._update(chosen)
        self.removed += count

    def _update(self, chosen: Tensor) -> None:
        """Add U, A and Z of this step to the buffers: P −= UᵀU and K −= AᵀZ + ZᵀA."""
        begin, end = self._pending, self._pending + len(chosen)
        u_MP, az_MP = self._u_MP[:begin], self._az_M2P[:begin].flatten(0, 1)
        inverse_RP = self._inverse_PP[chosen].addmm_(u_MP[:, chosen].T, u_MP, alpha=-1)
        swapped_MR = self._az_M2P[:begin, :, chosen].flip(1).flatten(0, 1)
        gram_RP = self._gram_PP[chosen].addmm_(swapped_MR.T, az_MP, alpha=-1)
        lower_RR = _cholesky(inverse_RP[:, chosen])
        u_RP = torch.linalg.solve_triangular(lower_RR, inverse_RP, upper=False)
        a_RP = torch.linalg.solve_triangular(lower_RR.T, u_RP, upper=True)
        z_RP = gram_RP - 0.5 * (gram_RP[:, chosen] @ a_RP)
        self._u_MP[begin:end], self._az_M2P[begin:end, 0], self._az_M2P[begin:end, 1] = u_RP, a_RP, z_RP
        self._diagonals_2P[0].sub_((a_RP * z_RP).sum(0), alpha=2)
        self._diagonals_2P[1].sub_(u_RP.square_().sum(0))
        self._pending = end

    def _flush(self) -> None:
        """Apply the buffered updates to both matrices; cut out removed rows and columns once they are many."""
        if COMPACT * int(self._gone.sum()) >= len(self._gone):
            self._compact()
        u_MP, az_M2P = self._u_MP[: self._pending], self._az_M2P[: self._pending]
        self._inverse_PP.addmm_(u_MP.T, u_MP, alpha=-1)
        self._gram_PP.addmm_(az_M2P.flatten(0, 1).T, az_M2P.flip(1).flatten(0, 1), alpha=-1)
        self._diagonals_2P = torch.stack((self._gram_PP.diagonal(), self._inverse_PP.diagonal()))
        self._pending = 0

    def _compact(self) -> None:
        left = (~self._gone).nonzero().squeeze(1)
        self._rows, self._gone = self._rows[left], self._gone[left]
        self._inverse_PP, self._gram_PP = (
            matrix_PP.index_select(0, left).index_select(1, left)
            for matrix_PP in (self._inverse_PP, self._gram_PP)
        )
        self._u_MP, self._az_M2P = self._u_MP[:, left], self._az_M2P[:, :, left]


def _without_dead(hessian_PP: Tensor, kept: int) -> Tensor:
    """Return the neurons' indices, dead ones (0 for all tokens) left out as long as at least `kept` remain."""
    size = len(hessian_PP)
    if not 1 <= kept <= size:
        raise ConfigError(f"cannot keep {kept} of {size} neurons")
    dead = (hessian_PP.diagonal() == 0).nonzero().squeeze(1)[: size - kept]
    left = torch.ones(size, dtype=torch.bool, device=hessian_PP.device)
    left[dead] = False
    return left.nonzero().squeeze(1)


def _energy(hessian_PP: Tensor, rows_PD: Tensor) -> float:
    return max(0.0, float(((hessian_PP.double() @ rows_PD) * rows_PD).sum()))


def _inverse(matrix_PP: Tensor) -> Tensor:
    inverse_PP: Tensor = torch.cholesky_inverse(_cholesky(matrix_PP))
    return inverse_PP


def _cholesky(matrix_PP: Tensor) -> Tensor:
    lower_PP: Tensor
    lower_PP, failed = torch.linalg.cholesky_ex(matrix_PP)
    if failed:
        raise ConfigError(
            "the Hessian of a layer is singular: give more calibration tokens, or a damping above 0"
        )
    return lower_PP
