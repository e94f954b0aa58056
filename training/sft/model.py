"""The ranker as a trainable module, and the checks with which a checkpoint directory is opened for training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from models.engine.checkpoint import load_checkpoint, read_end_ids, read_shape
from models.engine.stock import one_line
from models.prompts import BUDGET_TOKENS, CONTEXT_RESERVE_TOKENS, Prompter
from schemas.errors import ConfigError
from training.sft.batch import Tensors

MOST_SPARE_ROWS = 1024
"""Most rows of an embedding table beyond its tokenizer's ids (padding to a round number; Qwen3-0.6B has 267)."""
CHUNK = 2048
"""Answer tokens whose logits over the whole vocabulary are in memory at once."""


class RankerModule(nn.Module):
    """A causal language model whose `forward` gives what either loss needs; DDP and FSDP wrap this module."""

    def __init__(self, model: PreTrainedModel, label_ids: tuple[int, int], *, bf16: bool = False) -> None:
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


def open_model(directory: Path, *, from_scratch: bool = False, seed: int = 0) -> PreTrainedModel:
    """Load a directory's model in fp32, or make one of its shape with new weights.

    Raises ConfigError for a missing file, another architecture, or a vocabulary that is not the tokenizer's.
    """
    check_vocabulary(directory)
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        _configuration(directory), dtype=torch.float32
    ).float()
    if from_scratch:
        _zero_outputs(model)
    else:
        model.load_state_dict(load_checkpoint(directory, "ranker").weights, strict=False)
        model.tie_weights()
    return model


def open_prompter(directory: Path, budget: int | None, answer_tokens: int = 0) -> Prompter:
    """A prompter for prompts of at most `budget` tokens that leaves room for an answer in the model's context.

    Without a budget prompts are as long as at inference. Raises ConfigError when the context is too small.
    """
    context = read_shape(directory).context - CONTEXT_RESERVE_TOKENS
    room = context - answer_tokens
    if budget is not None and budget > room:
        raise ConfigError(
            f"budget_tokens {budget}: the context of {directory} has room for prompts of {room} tokens"
        )
    return Prompter.from_dir(directory, min(budget or BUDGET_TOKENS, room))


def check_vocabulary(directory: Path) -> None:
    """Raise ConfigError when the model's embedding table does not fit the tokenizer in its directory."""
    rows = read_shape(directory).vocab
    ids = Prompter.from_dir(directory).vocab_size
    if rows - ids > MOST_SPARE_ROWS:
        raise ConfigError(
            f"{directory}: the model has {rows} tokens, its tokenizer only {ids}: not one checkpoint"
        )


def end_id(directory: Path) -> int:
    """The id of the end token; ConfigError when the directory names none."""
    if ids := read_end_ids(directory):
        return ids[0]
    raise ConfigError(f"{directory / 'config.json'} names no eos_token_id: rationales could not end")


def _configuration(directory: Path) -> PretrainedConfig:
    """The configuration as transformers reads it; ConfigError for what the engine would compute otherwise."""
    read_shape(directory)
    try:
        return AutoConfig.from_pretrained(directory)
    except Exception as error:  # transformers checks every entry by itself, each with its own error
        raise ConfigError(f"{directory / 'config.json'}: {one_line(error)}") from error


def _zero_outputs(model: PreTrainedModel) -> None:
    """Set the output projections to zero, so that new layers add nothing to the residual stream at first."""
    for layer in model.model.layers:
        nn.init.zeros_(layer.self_attn.o_proj.weight)
        nn.init.zeros_(layer.mlp.down_proj.weight)
