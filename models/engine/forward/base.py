"""The protocol of a forward pass, which `packed`, `multi_item` and `models/engine/native` implement."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from models.engine.forward.plan import Plan


class Forward(Protocol):
    """Computes the tokens of a plan."""

    def last_hidden(self, plan: Plan) -> Tensor:
        """Return the hidden state of each prompt's last token before the final norm, [prompts, hidden]."""
        ...

    def hidden(self, plan: Plan) -> Tensor:
        """Return the hidden state of each token before the final norm, in the plan's order, [tokens, hidden]."""
        ...
