"""Offline use of checkpoints for evaluation and for targets: p_yes and greedy summaries, in plain transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen3ForCausalLM

from models.length_batches import length_batches
from models.prompts import Item, Prompter, load_tokenizer, summarizer_input
from training.components.arrays import Floats

BATCH_TOKENS = 16_384


class OfflineRanker:
    """Equation (2) on a checkpoint directory, fp32, padded batches sorted by length."""

    def __init__(self, model: Qwen3ForCausalLM, prompter: Prompter) -> None:
        self._model, self.prompter = model.eval(), prompter

    @classmethod
    def from_dir(cls, checkpoint: Path) -> OfflineRanker:
        """The ranker of a directory."""
        return cls(load(checkpoint), Prompter.from_dir(checkpoint))

    def logits(self, pairs: Sequence[tuple[str, Item]]) -> Floats:
        """logit_yes - logit_no for each (query, item), in order."""
        items = self.prompter.item_ids_many([item for _, item in pairs])
        prompts = [self.prompter.prefix_ids(q) + ids for (q, _), ids in zip(pairs, items, strict=True)]
        out = np.zeros(len(prompts))
        for rows in length_batches([len(p) for p in prompts], BATCH_TOKENS):
            out[rows] = self._batch([prompts[row] for row in rows])
        return out

    @torch.inference_mode()
    def _batch(self, prompts: list[list[int]]) -> Floats:
        width = max(map(len, prompts))
        ids = torch.tensor([p + [0] * (width - len(p)) for p in prompts])
        hidden = self._model.model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(prompts)), torch.tensor([len(p) - 1 for p in prompts])]
        yes, no = self.prompter.label_ids
        table = self._model.model.embed_tokens.weight
        difference: Floats = (last @ (table[yes] - table[no])).double().numpy()
        return difference


def load(checkpoint: Path) -> Qwen3ForCausalLM:
    """A checkpoint in fp32 on the CPU."""
    return Qwen3ForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)


class OfflineSummarizer:
    """Greedy decoding on a checkpoint directory, with the cap that the client sets."""

    def __init__(self, model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
        self._model, self._tokenizer = model.eval(), tokenizer
        self.prompter = Prompter(tokenizer, model.config.max_position_embeddings)

    @classmethod
    def from_dir(cls, checkpoint: Path) -> OfflineSummarizer:
        """The summarizer of a directory."""
        return cls(load(checkpoint), load_tokenizer(checkpoint))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of generated ids."""
        return str(self._tokenizer.decode(list(ids)))

    @torch.inference_mode()
    def generate(self, title: str, description: str, max_tokens: int) -> list[int]:
        """Ids of the summary, without the end token."""
        (prompt,) = self.prompter.summarizer_ids_many([summarizer_input(title, description)])
        out = self._model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=max_tokens,
            do_sample=False,
        )
        ids: list[int] = out[0, len(prompt) :].tolist()
        end = self._model.config.eos_token_id
        return ids[: ids.index(end)] if end in ids else ids
