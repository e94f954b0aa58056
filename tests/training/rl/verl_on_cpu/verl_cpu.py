"""What verl 0.9.1 lacks for a run on a CPU: a platform, process groups by gloo, and rollouts by transformers.

verl imports this module in each of its processes where VERL_USE_EXTERNAL_MODULES names it; VERL_PLATFORM is then `cpu`
and `actor_rollout_ref.rollout.name` is `hf`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import ray
import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry

SERVER = "hf_server_{}"
"""Name of a replica's server; the adapter knows that of the first one, and there is no other."""


class Memory:
    """`torch.cpu` with the functions of `torch.cuda` that count or free memory, which do nothing."""

    def mem_get_info(self) -> tuple[int, int]:
        return 1, 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(torch.cpu, name, lambda *_, **__: 0)


@PlatformRegistry.register(platform="cpu")
class Cpu(PlatformBase):
    """One process on the CPU that Ray takes for one on a GPU."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = Memory()

    def is_available(self) -> bool:
        return True

    def current_device(self) -> Any:
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        del device_index

    def synchronize(self, device_index: int | None = None) -> None:
        del device_index

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        del settings

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_id: int = 0) -> tuple[None, None]:
        del device_id
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextlib.contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        del msg
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


def _by_gloo() -> None:
    """verl asks for `cpu:gloo,cpu:gloo`, which names one device twice."""
    import torch.distributed

    given = torch.distributed.init_process_group

    def init(backend: str | None = None, *args: Any, **kwargs: Any) -> None:
        given("gloo" if backend and backend.startswith("cpu:") else backend, *args, **kwargs)

    torch.distributed.init_process_group = init


_by_gloo()


class Server:
    """A causal model that answers one request at a time."""

    def __init__(self, path: str, longest: int) -> None:
        from transformers import AutoModelForCausalLM

        self._model, self._longest, self._step = (
            AutoModelForCausalLM.from_pretrained(path).float(),
            longest,
            0,
        )

    async def generate(
        self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        del request_id
        temperature = sampling_params["temperature"]
        how = (
            {"do_sample": True, "temperature": temperature, "top_k": 0}
            if temperature
            else {"do_sample": False}
        )
        ids = torch.tensor([prompt_ids])
        found = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=self._longest,
            return_dict_in_generate=True,
            output_logits=True,
            pad_token_id=0,
            **how,
        )
        answer = found.sequences[0, len(prompt_ids) :]
        seen = torch.stack(found.logits)[:, 0].float() / (temperature or 1.0)
        log_probs = seen.log_softmax(-1).gather(-1, answer[:, None])[:, 0]
        return TokenOutput(
            token_ids=answer.tolist(),
            log_probs=log_probs.tolist(),
            stop_reason="completed",
            extra_fields={"global_steps": self._step},
        )

    async def take(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        self._model.load_state_dict(weights, strict=False)
        self._step = step or 0

    async def nothing(self) -> None:
        pass

    wake_up = sleep = abort_all_requests = resume_generation = clear_kv_cache = nothing
    release_kv_cache = resume_kv_cache = start_profile = stop_profile = nothing


def replica() -> type:
    """The class by which verl starts rollout servers; it is made once verl is imported."""
    from verl.workers.rollout.replica import RolloutReplica

    class HfReplica(RolloutReplica):  # type: ignore[misc]
        async def launch_servers(self) -> None:
            name = SERVER.format(self.replica_rank)
            server = (
                ray.remote(Server)
                .options(name=name, num_cpus=0)
                .remote(self.model_config.path, self.config.response_length)
            )
            self.servers, self._server_handle, self._server_address = [server], server, name

    return HfReplica


def register() -> None:
    """Make `hf` the name of these rollouts."""
    from verl.workers.rollout import base
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    base._ROLLOUT_REGISTRY["hf", "async"] = "verl_cpu_adapter.Adapter"
    RolloutReplicaRegistry.register("hf", replica)


register()
