"""The ranker in training: a checkpoint directory opened and checked, and its two forward passes."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint
from transformers import Qwen3Config, Qwen3ForCausalLM

from models.engine.checkpoint import load_checkpoint, read_shape
from models.prompts import BUDGET_TOKENS, CONTEXT_RESERVE_TOKENS, Prompter
from schemas.errors import ConfigError
from training.sft.batch import Tensors

MOST_SPARE_ROWS = 1024
"""Rows of an embedding table beyond its tokenizer's ids: padding to a round number. Qwen3-0.6B has 267."""
CHUNK = 2048
"""Places whose logits over the whole vocabulary exist at once."""


class Ranker(nn.Module):
    """A causal LM whose `forward` is one of the two losses' inputs; what several processes wrap."""

    def __init__(self, model: Qwen3ForCausalLM, label_ids: tuple[int, int], *, bf16: bool = False) -> None:
        super().__init__()
        self.model = model
        self._label_ids, self._bf16 = list(label_ids), bf16

    def forward(self, batch: Tensors, *, answers: bool) -> Tensor:
        """[A] negative log-likelihood of the answer tokens, or [N] logit_yes - logit_no after each prompt."""
        with torch.autocast(batch.ids_NT.device.type, torch.bfloat16, enabled=self._bf16):
            hidden_NTH = self.model.model(input_ids=batch.ids_NT, use_cache=False).last_hidden_state
            if answers:
                return self._answer_losses(hidden_NTH[batch.rows_A, batch.places_A], batch.answers_A)
        rows = torch.arange(len(batch.last_N), device=batch.last_N.device)
        yes_H, no_H = self.model.lm_head.weight[self._label_ids].float()
        # In fp32 and as one difference: bf16 logits of good candidates tie.
        logit_N: Tensor = hidden_NTH[rows, batch.last_N].float() @ (yes_H - no_H)
        return logit_N

    def _answer_losses(self, hidden_AH: Tensor, answers_A: Tensor) -> Tensor:
        parts = zip(torch.split(hidden_AH, CHUNK), torch.split(answers_A, CHUNK), strict=True)
        return torch.cat([checkpoint(self._losses, h, a, use_reentrant=False) for h, a in parts])

    def _losses(self, hidden_AH: Tensor, answers_A: Tensor) -> Tensor:
        return cross_entropy(self.model.lm_head(hidden_AH).float(), answers_A, reduction="none")


def open_model(directory: Path, *, from_scratch: bool = False, seed: int = 0) -> Qwen3ForCausalLM:
    """A directory's model in fp32, or one of its shape with new weights.

    Raises ConfigError for what is missing, of another architecture or of another vocabulary than the tokenizer.
    """
    check_vocabulary(directory)
    torch.manual_seed(seed)
    model: Qwen3ForCausalLM = Qwen3ForCausalLM(Qwen3Config.from_pretrained(directory)).float()
    if from_scratch:
        _silence(model)
    else:
        model.load_state_dict(load_checkpoint(directory, "ranker").weights, strict=False)
        model.tie_weights()
    return model


def open_prompter(directory: Path, budget: int | None, answer_tokens: int = 0) -> Prompter:
    """Prompts of at most `budget` tokens that leave room for an answer in the model's context.

    Without a budget: as at inference. Raises ConfigError when the context cannot hold what was asked for.
    """
    context = read_shape(directory).context - CONTEXT_RESERVE_TOKENS
    room = context - answer_tokens
    if budget is not None and budget > room:
        raise ConfigError(
            f"budget_tokens {budget}: the context of {directory} has room for prompts of {room} tokens"
        )
    try:
        return Prompter.from_dir(directory, min(budget or BUDGET_TOKENS, room))
    except ValueError as error:
        raise ConfigError(f"{directory}: {error}") from error


def check_vocabulary(directory: Path) -> None:
    """Raise ConfigError when the model's table cannot be that of the tokenizer beside it."""
    rows = read_shape(directory).vocab
    try:
        ids = Prompter.from_dir(directory).vocab_size
    except ValueError as error:
        raise ConfigError(f"{directory}: {error}") from error
    if rows - ids > MOST_SPARE_ROWS:
        raise ConfigError(
            f"{directory}: the model has {rows} tokens, its tokenizer only {ids}: not one checkpoint"
        )


def end_id(directory: Path) -> int:
    """The id that ends a generated text; ConfigError when the directory names none."""
    for name in ("generation_config.json", "config.json"):
        path = directory / name
        said = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
        if said is not None:
            return int(said[0] if isinstance(said, list) else said)
    raise ConfigError(f"{directory / 'config.json'} names no eos_token_id: rationales could not end")


def _silence(model: Qwen3ForCausalLM) -> None:
    """Set the output projections to zero, so that new layers add nothing to the residual stream at first."""
    for layer in model.model.layers:
        nn.init.zeros_(layer.self_attn.o_proj.weight)
        nn.init.zeros_(layer.mlp.down_proj.weight)
