"""The head that makes one vector of a text's hidden states: a learned weight a token, then a linear map.

The body is causal, so that a text's last token, an end marker, is the only one that knows all of it. The weights let
the head take from each token what it has to tell. N tokens of all texts, B texts, D hidden, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PoolHead(nn.Module):
    """Hidden states [N, D] after the final norm, and the text that each token belongs to, to unit vectors [B, W]."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(hidden, 1)
        self.turn = nn.Linear(hidden, width, bias=False)
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)
        nn.init.eye_(self.turn.weight)

    def forward(self, states_ND: Tensor, text_N: Tensor, texts: int) -> Tensor:
        """Return vectors in fp32; `text_N` numbers the texts from 0, and each of the `texts` has a token."""
        power_N = torch.exp(self.weigh(states_ND).squeeze(-1).clamp(-15, 15))
        total_B = torch.zeros(texts, dtype=power_N.dtype, device=power_N.device).index_add(0, text_N, power_N)
        shares_N1 = (power_N / total_B[text_N])[:, None]
        pooled_BD = torch.zeros(texts, states_ND.shape[1], dtype=states_ND.dtype, device=states_ND.device)
        pooled_BD = pooled_BD.index_add(0, text_N, states_ND * shares_N1)
        vectors_BW: Tensor = nn.functional.normalize(self.turn(pooled_BD), dim=-1)
        return vectors_BW
