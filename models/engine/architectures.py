"""The architectures that are computed, by the `model_type` of config.json, and how each differs from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QKV = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One kind of decoder: its name in config.json, its class in transformers, and the parts that others lack."""

    model_type: str
    model_class: str
    query_key_norms: bool = False
    """Whether queries and keys are normed head by head before they are rotated."""
    biases: tuple[str, ...] = ()
    """Projections of attention that always have biases."""
    optional_biases: bool = False
    """Whether `attention_bias` gives all four projections of attention biases."""
    head_dim: int | None = None
    """Head size where config.json has none; None divides the hidden size among the heads."""
    kv_heads: int | None = None
    """Key-value heads where config.json has none; None takes as many as there are heads."""

    def biased(self, attention_bias: bool) -> tuple[str, ...]:
        """Return the projections of attention that have biases in a checkpoint with this `attention_bias`."""
        return (*QKV, "o_proj") if attention_bias else self.biases


QWEN3 = Architecture(
    model_type="qwen3",
    model_class="Qwen3ForCausalLM",
    query_key_norms=True,
    optional_biases=True,
    head_dim=128,
    kv_heads=32,
)
QWEN2 = Architecture(model_type="qwen2", model_class="Qwen2ForCausalLM", biases=QKV, kv_heads=32)
LLAMA = Architecture(model_type="llama", model_class="LlamaForCausalLM", optional_biases=True)

ARCHITECTURES: Mapping[str, Architecture] = {one.model_type: one for one in (QWEN3, QWEN2, LLAMA)}


def why_refused(config: Mapping[str, Any]) -> str:
    """Return why a config.json's architecture is not computed, empty where it is."""
    said = config.get("model_type")
    if isinstance(said, str) and said in ARCHITECTURES:
        return ""
    known = ", ".join(ARCHITECTURES)
    if said is None:
        return f"config.json names no model_type: the architectures computed here are {known}"
    why = "mixtures of experts are not computed, nor is any other architecture"
    if not ("moe" in str(said) or "mixtral" in str(said)):
        why = "no other architecture is computed"
    return f"config.json has model_type: {said!r:.60}, but {why} than {known}"
