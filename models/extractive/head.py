"""The head that weighs phrases: hidden states of a posting's tokens to one logit a phrase.

The model is causal, so that a phrase's own states know nothing of what follows. The head therefore also sees the mean
state of the whole text. N tokens of all postings, P phrases of all postings, B postings, D hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from models.extractive.reading import Reading

STATES = 4
"""State at the phrase's end, mean of the phrase, mean of the title, mean of the text."""
FEATURES = 8
WIDTH = 96
LONG = 16
"""Tokens of a usual phrase: lengths are told in these."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where the phrases of several postings lie among their tokens, which stand one after another."""

    title_N: Tensor
    """Bool: whether a token comes before its posting's text."""
    posting_N: Tensor
    posting_P: Tensor
    phrase_N: Tensor
    """Phrase that a token belongs to, P where it belongs to none."""
    end_P: Tensor
    """Index of each phrase's last token."""
    plain_PF: Tensor
    """Position and length of each phrase."""
    postings: int

    def to(self, device: torch.device) -> Places:
        """Return the same on a device."""
        names = ("title_N", "posting_N", "posting_P", "phrase_N", "end_P", "plain_PF")
        return Places(**{name: getattr(self, name).to(device) for name in names}, postings=self.postings)


def places(readings: Sequence[Reading]) -> Places:
    """Lay out the phrases of postings whose tokens stand one after another."""
    lengths = [len(reading.ids) for reading in readings]
    begins = np.cumsum([0, *lengths])
    counts = [len(reading.phrases) for reading in readings]
    phrase_N, title_N = np.full(begins[-1], sum(counts), np.int64), np.zeros(begins[-1], bool)
    ends, plain, number = [], [], 0
    for reading, begin in zip(readings, begins, strict=False):
        title_N[begin : begin + reading.title_tokens] = True
        for start, end in zip(reading.starts.tolist(), reading.ends.tolist(), strict=True):
            phrase_N[begin + start : begin + end] = number
            number += 1
        ends.append(reading.ends + begin - 1)
        plain.append(_plain(reading))
    return Places(
        title_N=torch.from_numpy(title_N),
        posting_N=torch.from_numpy(np.repeat(np.arange(len(readings)), lengths)),
        posting_P=torch.from_numpy(np.repeat(np.arange(len(readings)), counts)),
        phrase_N=torch.from_numpy(phrase_N),
        end_P=torch.from_numpy(np.concatenate(ends) if ends else np.zeros(0, np.int64)),
        plain_PF=torch.from_numpy(np.concatenate(plain).astype(np.float32)),
        postings=len(readings),
    )


def _plain(reading: Reading) -> npt.NDArray[np.float64]:
    """Return [phrases, 5]: relative and early position, length in tokens, of the text, share of rare pieces."""
    count, tokens = len(reading.phrases), max(1, reading.tokens)
    at = np.arange(count, dtype=np.float64)
    lengths = (reading.ends - reading.starts).astype(np.float64)
    columns: npt.NDArray[np.float64] = np.stack(
        (
            at / max(1, count - 1),
            1 / (1 + at),
            lengths / LONG,
            np.log(lengths.clip(1)) - np.log(LONG),
            np.full(count, np.log(tokens / 256)),
        ),
        axis=1,
    )
    return columns.reshape(count, FEATURES - 3)


class PhraseHead(nn.Module):
    """Hidden states [N, D] after the final norm, and where the phrases lie, to a logit a phrase, [P]."""

    def __init__(self, hidden: int, width: int = WIDTH) -> None:
        super().__init__()
        self.mix = nn.Linear(STATES * hidden + FEATURES, width)
        self.out = nn.Linear(width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, states_ND: Tensor, at: Places) -> Tensor:
        """Return logits in fp32; gradients flow to the states."""
        phrases = len(at.end_P)
        phrase_PD = _means(states_ND, at.phrase_N, phrases + 1)[:phrases]
        twice_N = at.posting_N * 2 + at.title_N
        both_BD = _means(states_ND, twice_N, 2 * at.postings)
        text_PD, title_PD = both_BD[0::2][at.posting_P], both_BD[1::2][at.posting_P]
        near_P3 = torch.stack(
            (
                F.cosine_similarity(phrase_PD, text_PD, dim=-1),
                F.cosine_similarity(phrase_PD, title_PD, dim=-1),
                F.cosine_similarity(states_ND[at.end_P], title_PD, dim=-1),
            ),
            dim=-1,
        )
        seen = (states_ND[at.end_P], phrase_PD, title_PD, text_PD, at.plain_PF, near_P3)
        return cast("Tensor", self.out(F.silu(self.mix(torch.cat(seen, dim=-1)))).squeeze(-1))


def _means(states_ND: Tensor, group_N: Tensor, groups: int) -> Tensor:
    """Return the mean state of each group, [groups, D]; zeros for a group without tokens."""
    sums_GD = states_ND.new_zeros(groups, states_ND.shape[1]).index_add(0, group_N, states_ND)
    counts_G = torch.bincount(group_N, minlength=groups).clamp(min=1)
    return sums_GD / counts_G[:, None]
