"""Merge a low-rank adapter into the weights of its base: W + alpha / rank * B A, as the library peft computes it.

An entry of adapter_config.json that changes what is computed otherwise is refused, so that no adapter gives other
scores here than in transformers with peft.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.adapter_base import ADAPTER_CONFIG, ADAPTER_WEIGHTS, base_of, read_adapter_config
from models.card import read_card
from models.engine.weight_files import read_tensors
from models.weights_hash import weights_sha256
from schemas.errors import ConfigError

WITHOUT_EFFECT = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "target_modules",
    "task_type",
}
"""Entries that are read by name here, or that change no score; of all others only what turns them off is computed."""
STARTS = (None, True, False, "gaussian")
"""Values of `init_lora_weights` that leave the base as it is."""
_NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter's tensors by module, `down` [rank, in] and `up` [out, rank], and the factor of their product."""

    scale: float
    down: dict[str, Tensor]
    up: dict[str, Tensor]


def merge_adapter(directory: Path, weights: dict[str, Tensor]) -> None:
    """Add an adapter directory's products to its base's `weights`, in place.

    ConfigError names what is not computed, or does not fit the base: its weights, its shape, the number of its blocks.
    """
    base = base_of(directory)
    _check_base(directory, base)
    adapter = read_adapter(directory)
    _check_modules(directory, base, adapter, weights)
    for module, down in adapter.down.items():
        weight, up = weights[f"{module}.weight"], adapter.up[module]
        wanted, found = tuple(weight.shape), (up.shape[0], down.shape[1])
        if wanted != found:
            raise ConfigError(
                f"{directory}: the adapter of {module} is for a weight {found}, but the base {base} has {wanted}: "
                "it was trained on a model of another shape"
            )
        delta = adapter.scale * (up.float() @ down.float())
        weights[f"{module}.weight"] = (weight.float() + delta).to(weight.dtype)


def read_adapter(directory: Path) -> Adapter:
    """Read an adapter directory's own files; ConfigError names what is missing, damaged or not computed."""
    config = read_adapter_config(directory)
    _check_known(directory, config)
    sides: dict[str, dict[str, Tensor]] = {"A": {}, "B": {}}
    for name, tensor in read_tensors(directory / ADAPTER_WEIGHTS).items():
        matched = _NAME.fullmatch(name)
        if not matched or tensor.ndim != 2:
            raise ConfigError(f"{directory}: tensor {name} is no part of a low-rank adapter of linear layers")
        if not bool(torch.isfinite(tensor).all()):
            raise ConfigError(f"{directory}: tensor {name} holds values that are not finite")
        sides[matched["side"]][matched["module"]] = tensor
    rank = config["r"]
    _check_ranks(directory, rank, sides["A"], sides["B"])
    return Adapter(scale=config["lora_alpha"] / rank, down=sides["A"], up=sides["B"])


def _check_known(directory: Path, config: Mapping[str, Any]) -> None:
    """Raise ConfigError unless the file describes a plain low-rank adapter of the modules that it names."""
    file, targets = directory / ADAPTER_CONFIG, config.get("target_modules")
    if config.get("peft_type") != "LORA":
        raise ConfigError(f"{file}: peft_type {config.get('peft_type')!r:.40} is not computed: only LORA is")
    if type(config.get("r")) is not int or config["r"] < 1 or not _positive(config.get("lora_alpha")):
        raise ConfigError(f"{file}: r must be a positive integer and lora_alpha a positive number")
    if not isinstance(targets, list) or not targets or not all(isinstance(one, str) for one in targets):
        raise ConfigError(f"{file}: target_modules must be a list of names such as q_proj")
    for name, value in sorted(config.items()):
        off = value in STARTS if name == "init_lora_weights" else not value or value == "none"
        if name not in WITHOUT_EFFECT and not off:
            raise ConfigError(f"{file} has {name}: {value!r:.60}, which is not computed")


def _positive(value: object) -> bool:
    return type(value) in {int, float} and 0 < value < float("inf")  # type: ignore[operator]


def _check_ranks(directory: Path, rank: int, down: Mapping[str, Tensor], up: Mapping[str, Tensor]) -> None:
    for module in sorted(down.keys() | up.keys()):
        a, b = down.get(module), up.get(module)
        if a is None or b is None:
            raise ConfigError(f"{directory}: of the adapter of {module} only one of its two tensors is there")
        if a.shape[0] != rank or b.shape[1] != rank:
            raise ConfigError(f"{directory}: the adapter of {module} is not of rank {rank}, as its file says")


def _check_modules(directory: Path, base: Path, adapter: Adapter, weights: Mapping[str, Tensor]) -> None:
    """Raise ConfigError unless the adapter has tensors for each module that its targets name, and for no other."""
    targets = set(read_adapter_config(directory)["target_modules"])
    modules = {name.removesuffix(".weight") for name in weights if name.endswith(".weight")}
    named = {module for module in modules if module.rpartition(".")[2] in targets}
    if extra := sorted(adapter.down.keys() - named):
        raise ConfigError(
            f"{directory}: the adapter has {extra[0]}, which the base {base} has not: "
            "it was trained on a model of another shape"
        )
    if missing := sorted(named - adapter.down.keys()):
        raise ConfigError(
            f"{directory}: the base {base} has {missing[0]}, of which the adapter has nothing: "
            "it was trained on a model of another shape"
        )


def _check_base(directory: Path, base: Path) -> None:
    """Raise ConfigError for a base of other weights than those that the adapter's card names."""
    said = read_card(directory).get("base")
    if said is None:
        return
    wanted = said.get("weights_sha256") if isinstance(said, dict) else None
    if not isinstance(wanted, str):
        raise ConfigError(f"{directory}/nearline.json: base must hold weights_sha256")
    if weights_sha256(base) != wanted:
        raise ConfigError(
            f"{directory}: the adapter was trained on other weights than those of {base} "
            f"(their SHA-256 is not {wanted[:12]}…): import its base anew, in the same dtype"
        )
