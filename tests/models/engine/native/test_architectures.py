from typing import Any

import pytest
import torch

from models.engine.checkpoint import Checkpoint, ModelShape
from models.engine.forward.plan import Plan
from models.engine.native.forward import NativeForward
from tests.support.kernels import NAMES, kernels_of

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 40,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "rope_theta": 10_000.0,
}
PROMPTS = [[3, 1, 4, 1, 5, 9, 2, 6], [3, 1, 4, 1, 5, 7], [3, 1, 4, 1, *range(9, 60)]]


def qwen3() -> Any:
    """Norms of queries and keys; no biases."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=10))


def qwen2() -> Any:
    """Biases of queries, keys and values; no norms of them."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(**SIZES))


def llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**SIZES))


def llama_with_biases() -> Any:
    """Biases of queries, keys, values and outputs."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**SIZES, attention_bias=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("build", [qwen3, qwen2, llama, llama_with_biases])
@torch.inference_mode()
def test_biases_and_absent_norms_give_the_hidden_states_of_transformers(build: Any, name: str) -> None:
    kernels = kernels_of(name)
    checkpoint, model = _random(build)
    plan = Plan()
    plan.add(PROMPTS[0][:4], [prompt[4:] for prompt in PROMPTS])
    got = NativeForward(checkpoint, "float32", 2, kernels).last_hidden(plan)
    normed = model.model.norm(got)
    for row, prompt in zip(normed, PROMPTS, strict=True):
        wanted = model.model(torch.tensor([prompt])).last_hidden_state[0, -1]
        torch.testing.assert_close(row, wanted, atol=1e-5, rtol=0)


def _random(build: Any) -> tuple[Checkpoint, Any]:
    """A model whose biases are not zero, and its weights."""
    torch.manual_seed(0)
    model = build().eval()
    for name, weight in model.named_parameters():
        torch.nn.init.normal_(weight, std=0.3, mean=1.0 if "norm" in name else 0.0)
    shape = ModelShape(
        layers=2,
        hidden=40,
        heads=4,
        kv_heads=2,
        head_dim=10,
        mlp=56,
        vocab=64,
        context=256,
        rope_theta=10_000.0,
        norm_eps=1e-6,
        tied=True,
    )
    weights = dict(model.state_dict())
    return Checkpoint(name="random@1", shape=shape, eos_ids=frozenset(), weights=weights), model
