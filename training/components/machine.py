"""The hardware of a run: one device, or several processes that `accelerate launch` or `torchrun` started."""

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
    """This process, one of `world`. `shard`: weights, gradients and optimizer state are split between them (FSDP)."""

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
        """Context for a backward pass, after which gradients are averaged over processes if `now`."""
        if isinstance(module, DistributedDataParallel) and not now:
            return module.no_sync()
        return nullcontext()

    def reshard(self, module: nn.Module) -> None:
        """Re-shard the weights after forward passes without a backward pass (evaluation), which leave them whole."""
        if isinstance(module, FSDPModule):
            module.reshard()

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place, and return it."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def close(self) -> None:
        """Leave the group of processes."""
        if self.world > 1:
            distributed.destroy_process_group()


def open_machine(device: str, environment: Mapping[str, str], *, shard: bool = False) -> Machine:
    """This process's device, and its place among the processes by the launcher's RANK, WORLD_SIZE and LOCAL_RANK.

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
    """Shard each block by itself.

    Embedding table and head are sharded with the whole module, whose forward pass needs both.
    """
    for part in module.modules():
        if type(part).__name__.endswith("DecoderLayer"):
            fully_shard(part)
    fully_shard(module)
    return module
