"""Where a run computes: one device, or several processes that `accelerate launch` or `torchrun` started."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One of `world` equal processes. `shard`: weights, gradients and optimizer are split between them (FSDP)."""

    device: torch.device
    rank: int = 0
    world: int = 1
    shard: bool = False

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module on this device, its gradients averaged over all processes."""
        module = module.to(self.device)
        if self.world == 1:
            return module
        if not self.shard:
            return DistributedDataParallel(module)
        return _sharded(module)

    def sync(self, module: nn.Module, *, now: bool) -> AbstractContextManager[None]:
        """Exchange gradients after this batch, or leave it to a later one of the same step."""
        if isinstance(module, DistributedDataParallel) and not now:
            return module.no_sync()
        return nullcontext()

    def rest(self, module: nn.Module) -> None:
        """Shards take the weights' place again after forward passes that no backward pass follows."""
        if isinstance(module, FSDPModule):
            module.reshard()

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def close(self) -> None:
        """Leave the group of processes."""
        if self.world > 1:
            distributed.destroy_process_group()


def open_machine(device: str, environment: Mapping[str, str], *, shard: bool = False) -> Machine:
    """The device of this process; a launcher's variables (RANK, WORLD_SIZE, LOCAL_RANK) say which it is.

    Raises ConfigError for a device that is not there and for sharding without several processes.
    """
    world = int(environment.get("WORLD_SIZE", "1"))
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device {device!r}: torch finds no CUDA GPU here")
    if world == 1:
        if shard:
            raise ConfigError(
                "sharding needs several processes: start the command by `accelerate launch` or `torchrun`"
            )
        return Machine(device=_device(name))
    if name == "cuda":
        name = f"cuda:{environment.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(name)
    distributed.init_process_group("nccl" if name.startswith("cuda") else "gloo")
    return Machine(device=_device(name), rank=int(environment["RANK"]), world=world, shard=shard)


def _device(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r}: give auto, cpu, cuda or cuda:N") from error


def _sharded(module: nn.Module) -> nn.Module:
    """Weights split by block; the embedding table and the head go with the whole, whose forward needs both."""
    for part in module.modules():
        if type(part).__name__.endswith("DecoderLayer"):
            fully_shard(part)
    fully_shard(module)
    return module
