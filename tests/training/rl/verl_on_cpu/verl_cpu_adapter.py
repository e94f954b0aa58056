"""The training worker's side of a rollout by transformers: it sends the weights to the server."""

from __future__ import annotations

from typing import Any

import ray
from verl.workers.rollout.base import BaseRollout


class Adapter(BaseRollout):  # type: ignore[misc]
    """Sends all weights in one message."""

    async def resume(self, tags: list[str]) -> None:
        del tags

    async def release(self) -> None:
        pass

    async def update_weights(self, weights: Any, wire_format: str = "named_tensors", **kwargs: Any) -> None:
        del wire_format
        found = {}
        if hasattr(weights, "__aiter__"):
            async for name, tensor in weights:
                found[name] = tensor.detach().cpu().clone()
        else:
            found = {name: tensor.detach().cpu().clone() for name, tensor in weights}
        await ray.get_actor("hf_server_0").take.remote(found, kwargs.get("global_steps"))
