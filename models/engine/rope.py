"""Rotary positions: what config.json says of them, and the cosines and sines that follow, as transformers has them.

A kind whose frequencies depend on a prompt's length (longrope) is refused: prompts that share a prefix would need two
sets of keys. So is every entry that none of the kinds below has, because other loaders act on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import ConfigError

DEFAULT_THETA = 10_000.0
_ALWAYS = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
KINDS: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "dynamic": frozenset({"factor"}),
    "llama3": frozenset(
        {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}
    ),
    "yarn": frozenset(
        {
            "factor",
            "original_max_position_embeddings",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
        }
    ),
}
"""The kinds that are computed, and the entries that each of them has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """One kind of rotary positions with its numbers; those of other kinds keep their defaults and mean nothing."""

    kind: str = "default"
    factor: float = 1.0
    original_context: float = 0.0
    attention_factor: float = 1.0
    """What cosines and sines are multiplied by."""
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    low: float = 1.0
    high: float = 4.0


def read_rope(file: Path, config: Mapping[str, Any], context: int) -> tuple[float, Rope]:
    """Return base and kind from a config.json; ConfigError for what is not computed as transformers would."""
    said = _said(file, config)
    theta = _number(file, "rope_theta", said.get("rope_theta", config.get("rope_theta", DEFAULT_THETA)))
    kind = _kind(file, said)
    share = said.get("partial_rotary_factor", config.get("partial_rotary_factor"))
    if share not in {None, 1}:
        raise _refused(file, f"partial_rotary_factor {share!r}: whole heads are rotated here")
    unknown = sorted(
        key for key, value in said.items() if key not in _ALWAYS | KINDS[kind] and value is not None
    )
    if unknown:
        raise _refused(file, f"rope kind {kind!r} with {unknown[0]} {said[unknown[0]]!r:.40}")
    return theta, _rope(file, kind, said, context)


def _said(file: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one of the two names' values that is there; where both are, they must say the same."""
    names = ("rope_parameters", "rope_scaling")
    found = [(name, config[name]) for name in names if config.get(name)]
    for name, value in found:
        if not isinstance(value, dict):
            raise _refused(file, f"{name} is {value!r:.40}, not an object")
    if len(found) == 2 and found[0][1] != found[1][1]:
        raise _refused(file, "rope_parameters and rope_scaling say different things: keep one of them")
    return dict(found[0][1]) if found else {}


def _kind(file: Path, said: Mapping[str, Any]) -> str:
    names = {str(said[key]) for key in ("rope_type", "type") if said.get(key) is not None} or {"default"}
    if len(names) > 1 or not names <= KINDS.keys():
        known = ", ".join(KINDS)
        raise _refused(file, f"rope kind {' and '.join(sorted(names))}: the kinds computed here are {known}")
    return names.pop()


def _rope(file: Path, kind: str, said: Mapping[str, Any], context: int) -> Rope:
    if kind == "default":
        return Rope()
    factor = _number(file, f"factor of rope kind {kind!r}", said.get("factor"))
    name = "original_max_position_embeddings"
    original = _number(file, name, said.get(name, context))
    if kind == "llama3":
        low, high = (_number(file, name, said.get(name)) for name in ("low_freq_factor", "high_freq_factor"))
        if low >= high:
            raise _refused(file, f"low_freq_factor {low} is not below high_freq_factor {high}")
        return Rope(kind=kind, factor=factor, original_context=original, low=low, high=high)
    if kind == "yarn":
        return Rope(
            kind=kind,
            factor=factor,
            original_context=original,
            attention_factor=_yarn_attention(file, factor, said),
            beta_fast=_number(file, "beta_fast", said.get("beta_fast") or 32),
            beta_slow=_number(file, "beta_slow", said.get("beta_slow") or 1),
            truncate=_truth(file, "truncate", said.get("truncate", True)),
        )
    return Rope(kind=kind, factor=factor)


def _yarn_attention(file: Path, factor: float, said: Mapping[str, Any]) -> float:
    def scale(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    if said.get("attention_factor") is not None:
        return _number(file, "attention_factor", said["attention_factor"])
    if said.get("mscale") and said.get("mscale_all_dim"):
        above, below = (_number(file, name, said[name]) for name in ("mscale", "mscale_all_dim"))
        return scale(above) / scale(below)
    return scale(1.0)


def rotary(rope: Rope, theta: float, head_dim: int, context: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the rotary positions, [context, head size / 2] each, in fp32 on the CPU."""
    angles = torch.arange(context).float()[:, None] * frequencies(rope, theta, head_dim)
    return angles.cos() * rope.attention_factor, angles.sin() * rope.attention_factor


def frequencies(rope: Rope, theta: float, head_dim: int) -> Tensor:
    """Return the angle that each pair of a head's numbers turns by at each place, [head size / 2]."""
    shares = torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim
    if rope.kind == "dynamic":
        # up to the context, which no prompt exceeds here, the base grows by nothing but rounding
        theta *= (rope.factor - (rope.factor - 1)) ** (head_dim / (head_dim - 2))
    plain = 1.0 / (theta**shares)
    if rope.kind == "linear":
        return plain / rope.factor
    if rope.kind == "llama3":
        return _llama3(rope, plain)
    return _yarn(rope, theta, head_dim) if rope.kind == "yarn" else plain


def _llama3(rope: Rope, plain: Tensor) -> Tensor:
    """Divide slow frequencies by the factor, keep quick ones, and blend those between."""
    turns = rope.original_context * plain / (2 * math.pi)
    share = ((turns - rope.low) / (rope.high - rope.low)).clamp(0, 1)
    return (1 - share) * plain / rope.factor + share * plain


def _yarn(rope: Rope, theta: float, head_dim: int) -> Tensor:
    """Blend plain frequencies with divided ones, by a ramp between the dimensions of two numbers of turns."""
    powers = theta ** (torch.arange(0, head_dim, 2).float() / head_dim)
    low, high = (
        head_dim * math.log(rope.original_context / (turns * 2 * math.pi)) / (2 * math.log(theta))
        for turns in (rope.beta_fast, rope.beta_slow)
    )
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    high += 0.001 if low == high else 0
    ramp = ((torch.arange(head_dim // 2).float() - low) / (high - low)).clamp(0, 1)
    kept = 1 - ramp
    return (1 / (rope.factor * powers)) * (1 - kept) + (1 / powers) * kept


def _number(file: Path, name: str, value: Any) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or value <= 0:
        raise _refused(file, f"{name} must be a number above 0, not {value!r:.40}")
    return float(value)


def _truth(file: Path, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refused(file, f"{name} must be true or false, not {value!r:.40}")
    return value


def _refused(file: Path, why: str) -> ConfigError:
    return ConfigError(f"{file}: {why}")
