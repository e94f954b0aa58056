"""Low-rank adapters: made by the library peft, trained by the loop as any weights, written in peft's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from typing_extensions import override

from models.adapter_base import ADAPTER_CONFIG, ADAPTER_WEIGHTS, BASE
from models.card import CARD
from models.engine.checkpoint import model_name
from models.engine.weight_files import read_tensors
from models.weights import write_weights
from models.weights_hash import weights_sha256
from schemas.errors import ConfigError
from training.components.finite import check_weights
from training.components.inputs import digest
from training.sft.adapter_card import AdapterCard, text
from training.sft.config import AdapterConfig, SftConfig
from training.sft.writers import ModelWriter, Saved

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
TARGETS = {"all": ATTENTION + MLP, "attention": ATTENTION, "mlp": MLP}
_INSIDE, _OUTSIDE, _PREFIX = ".default.weight", ".weight", "base_model.model."
"""How a name ends while the adapter is trained and in a file, and how it begins in a file."""


def with_adapter(
    model: PreTrainedModel, config: AdapterConfig, *, seed: int, at: Path | None
) -> PreTrainedModel:
    """Freeze the model and give it an adapter that changes nothing yet, or has the weights of the checkpoint `at`.

    ConfigError where peft is missing or a checkpoint is not of this adapter.
    """
    torch.manual_seed(seed)
    adapted: PreTrainedModel = _peft().inject_adapter_in_model(_lora(config), model)
    if at:
        _restore(adapted, at)
    return adapted


class AdapterFiles(ModelWriter):
    """Writes the adapter alone: its weights and settings as peft reads them, and cards for servers and people."""

    def __init__(self, base: Path, card: AdapterCard) -> None:
        self._base, self._card = base.resolve(), card

    @override
    def write(self, directory: Path, weights: dict[str, Tensor], saved: Saved) -> None:
        kept = {
            _PREFIX + name.replace(_INSIDE, _OUTSIDE): tensor.to(saved.dtype).contiguous()
            for name, tensor in weights.items()
            if name.endswith(_INSIDE)
        }
        check_weights(kept)
        write_weights(kept, directory / ADAPTER_WEIGHTS)
        _write_json(directory / ADAPTER_CONFIG, self._peft_config())
        _write_json(directory / CARD, self._served(saved))
        (directory / "README.md").write_text(text(self._card, saved), encoding="utf-8")

    def _peft_config(self) -> dict[str, Any]:
        found = _lora(self._card.adapter).to_dict() | {BASE: str(self._base), "inference_mode": True}
        return found | {"target_modules": sorted(TARGETS[self._card.adapter.targets])}

    def _served(self, saved: Saved) -> dict[str, Any]:
        base = {"name": self._card.base, "weights_sha256": self._card.base_sha256}
        return {"name": saved.name, "prompt_tokens": self._card.config.budget_tokens, "base": base}


def adapter_card(
    config: SftConfig, adapter: AdapterConfig, base: Path, judged: Path, examples: tuple[int, ...]
) -> AdapterCard:
    """What the cards of a run's adapters say of its inputs."""
    return AdapterCard(
        base=model_name(base, "model"),
        base_sha256=weights_sha256(base),
        judged_sha256=digest(judged),
        examples=examples,
        adapter=adapter,
        config=config,
    )


def _lora(config: AdapterConfig) -> Any:
    return _peft().LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=list(TARGETS[config.targets]),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _restore(model: PreTrainedModel, at: Path) -> None:
    """Take the adapter's weights from a checkpoint of the same run."""
    own = {name for name in model.state_dict() if name.endswith(_INSIDE)}
    found = {
        name.removeprefix(_PREFIX).removesuffix(_OUTSIDE) + _INSIDE: tensor
        for name, tensor in read_tensors(at / ADAPTER_WEIGHTS).items()
    }
    if own != found.keys():
        raise ConfigError(f"{at / ADAPTER_WEIGHTS} is not of the adapter that these settings describe")
    model.load_state_dict(found, strict=False)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ConfigError(
            "training an adapter needs peft: pip install 'nearline-job-search[train]'"
        ) from error
    return peft


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
