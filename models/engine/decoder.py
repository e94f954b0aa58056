"""The forward pass of a decoder in torch: grouped-query attention, rotary positions, SwiGLU.

Dimensions in names: B rows, T tokens, S keys, D hidden, H query heads, K key-value heads, E head size, V vocabulary.
Attention is a function that the caller gives, so that prefill, shared prefixes and decoding use the same code.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from models.engine.checkpoint import Checkpoint
from models.engine.rope import rotary

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, q_BHTE, k_BKTE, v_BKTE) -> out_BHTE."""


def attention(q_BHTE: Tensor, k_BKSE: Tensor, v_BKSE: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with shared key-value heads; without a mask each token sees itself and the tokens before it."""
    k_BKSE, v_BKSE = repeated(k_BKSE, q_BHTE), repeated(v_BKSE, q_BHTE)
    return F.scaled_dot_product_attention(q_BHTE, k_BKSE, v_BKSE, attn_mask=mask, is_causal=mask is None)


def repeated(x_BKSE: Tensor, q_BHTE: Tensor) -> Tensor:
    """Repeat keys or values for each query head that shares them: [B, K, S, E] -> [B, H, S, E]."""
    groups = q_BHTE.shape[1] // x_BKSE.shape[1]
    return x_BKSE if groups == 1 else x_BKSE.repeat_interleave(groups, dim=1)


class Head:
    """Final norm and vocabulary projection; a few rows of it are multiplied in fp32, all of them in `dtype`."""

    def __init__(self, checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device) -> None:
        name = "model.embed_tokens.weight" if checkpoint.shape.tied else "lm_head.weight"
        self._rows_VD = checkpoint.weights[name].to(device=device, dtype=dtype)
        self._norm = checkpoint.weights["model.norm.weight"].to(device=device, dtype=torch.float32)
        self._eps = checkpoint.shape.norm_eps

    def logits(self, hidden_BD: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the next token's logits in fp32, [B, V], or only those of the vocabulary's `rows`."""
        x = self.normed(hidden_BD)
        if rows is None:
            return F.linear(x.to(self._rows_VD.dtype), self._rows_VD).float()
        return F.linear(x, self._rows_VD[rows].float())

    def normed(self, hidden_BD: Tensor) -> Tensor:
        """Return the hidden states after the final norm, in fp32."""
        return F.rms_norm(hidden_BD.float(), (hidden_BD.shape[-1],), self._norm, self._eps)


class Decoder:
    """The model without its head, on one device in one dtype: token ids to hidden states."""

    def __init__(self, checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device) -> None:
        shape = self.shape = checkpoint.shape
        self.device, self.dtype = device, dtype
        weights = {name: w.to(device=device, dtype=dtype) for name, w in checkpoint.weights.items()}
        self.embedding_VD = weights["model.embed_tokens.weight"]
        self._layers = [_layer_weights(weights, i) for i in range(shape.layers)]
        tables = rotary(shape.rope, shape.rope_theta, shape.head_dim, shape.context)
        self._cos, self._sin = (table.to(device=device, dtype=dtype) for table in tables)

    def forward(self, ids_BT: Tensor, positions_BT: Tensor, attend: Attend) -> Tensor:
        """Return the hidden states [B, T, D] before the final norm."""
        x = F.embedding(ids_BT, self.embedding_VD)
        cos, sin = self._cos[positions_BT].unsqueeze(1), self._sin[positions_BT].unsqueeze(1)
        for index, layer in enumerate(self._layers):
            x = x + self._attend(index, layer, x, cos, sin, attend)
            y = self._rms(x, layer["post_attention_layernorm"])
            gated = F.silu(F.linear(y, layer["mlp.gate_proj"])) * F.linear(y, layer["mlp.up_proj"])
            x = x + F.linear(gated, layer["mlp.down_proj"])
        return x

    def _rms(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.shape.norm_eps)

    def _attend(
        self, index: int, layer: dict[str, Tensor], x: Tensor, cos: Tensor, sin: Tensor, attend: Attend
    ) -> Tensor:
        y = self._rms(x, layer["input_layernorm"])
        q, k, v = (self._heads(_linear(layer, f"self_attn.{name}_proj", y)) for name in "qkv")
        q, k = (_rotate(self._normed(layer, name, x), cos, sin) for name, x in (("q", q), ("k", k)))
        out = attend(index, q, k, v).transpose(1, 2).flatten(2)
        return _linear(layer, "self_attn.o_proj", out)

    def _normed(self, layer: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
        """Norm queries or keys head by head, where the architecture does."""
        weight = layer.get(f"self_attn.{name}_norm")
        return x if weight is None else self._rms(x, weight)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.shape.head_dim).transpose(1, 2)


def _layer_weights(weights: dict[str, Tensor], index: int) -> dict[str, Tensor]:
    start = f"model.layers.{index}."
    return {
        name.removeprefix(start).removesuffix(".weight"): w
        for name, w in weights.items()
        if name.startswith(start)
    }


def _linear(layer: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Multiply by a projection's weight, and add its bias where it has one."""
    return F.linear(x, layer[name], layer.get(f"{name}.bias"))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
