"""A causal language model that answers prompts and judges answers, one prompt with its group of answers at a time.

The prompt is read once for a whole group: its keys and values are repeated for the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

Judgement = tuple[Tensor, Tensor]
"""Of an answer: the log-probability of each of its tokens, and the entropy where each was drawn, [N] both."""


class CausalModel:
    """A stock causal model of transformers. An answer is [N] ids on the CPU, up to its first end marker, inclusive."""

    def __init__(self, model: Any, end: Sequence[int], temperature: float) -> None:
        """`end`: ids of end markers; `temperature`: of what is drawn and judged."""
        self.model, self._end, self._temperature = model, list(end), temperature

    def drawn(self, prompt: Sequence[int], rows: int, room: int) -> list[Tensor]:
        """Answers of at most `room` tokens, drawn by torch's own generator from the whole tempered distribution."""
        return self._generated(
            prompt, rows, room, do_sample=True, temperature=self._temperature, top_k=0, top_p=1.0
        )

    def greedy(self, prompt: Sequence[int], room: int, frequency_penalty: float) -> Tensor:
        """The answer of the likeliest token at a time, as the server decodes at temperature 0."""
        penalty = FrequencyPenalty(len(prompt), frequency_penalty)
        (row,) = self._generated(prompt, 1, room, [penalty], do_sample=False)
        return row

    def judged(self, prompt: Sequence[int], rows: Sequence[Tensor]) -> list[Judgement]:
        """What the model thinks of a prompt's answers, differentiable.

        Activations are not kept for the gradient but computed again, so that a step holds those of one group.
        """
        lengths = [len(row) for row in rows]
        if not any(lengths):
            empty = torch.zeros(0, device=self.model.device)
            return [(empty, empty) for _ in rows]
        padded_GN = pad_sequence(list(rows), batch_first=True).to(self.model.device)
        if torch.is_grad_enabled():
            log_prob_GN, entropy_GN = checkpoint(self._read, prompt, padded_GN, use_reentrant=False)
        else:
            log_prob_GN, entropy_GN = self._read(prompt, padded_GN)
        return [(log_prob_GN[row, :n], entropy_GN[row, :n]) for row, n in enumerate(lengths)]

    def _read(self, prompt: Sequence[int], padded_GN: Tensor) -> Judgement:
        """Log-probabilities and entropies [G, N] of answers padded on the right, where no token sees the padding."""
        ids_1T = torch.tensor([prompt], device=self.model.device)
        first = self.model(ids_1T, use_cache=True, logits_to_keep=1)
        parts = [first.logits.expand(len(padded_GN), -1, -1)]
        if padded_GN.shape[1] > 1:
            cache = first.past_key_values
            cache.batch_repeat_interleave(len(padded_GN))
            parts.append(self.model(padded_GN[:, :-1], past_key_values=cache).logits)
        all_GNV = (torch.cat(parts, dim=1).float() / self._temperature).log_softmax(-1)
        entropy_GN = -(all_GNV.exp() * all_GNV).sum(-1)
        return all_GNV.gather(-1, padded_GN[..., None])[..., 0], entropy_GN

    def _generated(
        self, prompt: Sequence[int], rows: int, room: int, processors: Sequence[Any] = (), **how: Any
    ) -> list[Tensor]:
        from transformers import GenerationConfig  # slow to import

        ids_RT = torch.tensor([prompt] * rows, device=self.model.device)
        cache = self.model(ids_RT[:1, :-1], use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(rows)
        config = GenerationConfig(
            max_new_tokens=room,
            eos_token_id=self._end or None,
            pad_token_id=self._end[0] if self._end else 0,
            **how,
        )
        self.model.generation_config = config  # the directory's own would limit what may be drawn
        found = self.model.generate(
            ids_RT,
            attention_mask=torch.ones_like(ids_RT),
            past_key_values=cache,
            generation_config=config,
            logits_processor=list(processors),
        )
        return [self._ended(row) for row in found[:, len(prompt) :].cpu()]

    def _ended(self, row_N: Tensor) -> Tensor:
        (ends,) = torch.isin(row_N, torch.tensor(self._end, dtype=torch.long)).nonzero(as_tuple=True)
        return row_N[: int(ends[0]) + 1] if len(ends) else row_N


class FrequencyPenalty:
    """Lowers a token's logit by `weight` for each time that the answer has it; a logits processor of transformers."""

    def __init__(self, prompt: int, weight: float) -> None:
        """`prompt`: tokens of the prompt, which are not counted."""
        self._prompt, self._weight = prompt, weight

    def __call__(self, ids_RT: Tensor, logits_RV: Tensor) -> Tensor:
        """Return the lowered logits."""
        said_RN = ids_RT[:, self._prompt :]
        counts_RV = torch.zeros_like(logits_RV)
        counts_RV.scatter_add_(1, said_RN, torch.ones_like(said_RN, dtype=logits_RV.dtype))
        return logits_RV - self._weight * counts_RV
