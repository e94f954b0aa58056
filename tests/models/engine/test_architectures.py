"""Llama and Qwen2 checkpoints score and generate as transformers does, alone, with odd sizes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.engine.base import GenerateJob, ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.engine.kernel_choice import AUTO, TORCH
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
QWEN2 = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}
KINDS: dict[str, dict[str, Any]] = {
    "llama, tied, 9 heads": {
        **LLAMA,
        "tie_word_embeddings": True,
        "hidden_size": 90,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": None,
    },
    "llama 3": {**LLAMA, "rope_scaling": LLAMA3, "head_dim": 14, "intermediate_size": 37},
    "qwen2": {**QWEN2, "hidden_size": 36, "intermediate_size": 53, "head_dim": 6, "num_attention_heads": 6},
    "qwen2, tied": {**QWEN2, "tie_word_embeddings": True, "num_key_value_heads": 1},
    "qwen3 with biases": {"attention_bias": True, "hidden_size": 35, "head_dim": 10},
}


@pytest.fixture(scope="module", params=KINDS)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("kind"), byte_level_tokenizer(), **KINDS[request.param])


@pytest.fixture(scope="module")
def plain(path: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def opened(path: Path, kernels: str = AUTO) -> CheckpointEngine:
    return CheckpointEngine(path, EngineConfig(dtype="float32", device="cpu", threads=1, kernels=kernels))


def scores(engine: CheckpointEngine) -> torch.Tensor:
    return torch.tensor(engine.score_many([JOB])[0])


JOB = ScoreJob(
    prefix=[5, 9, 200, 31] * 9,
    items=[[7 + (3 * i * i + 5 * i) % 300 for i in range(n)] for n in (1, 17, 130)],
    labels=[[7, 3, 250]] * 3,
    softmax_over_labels=True,
    temperature=1.0,
)


@pytest.mark.parametrize("kernels", [AUTO, TORCH])
@torch.inference_mode()
def test_scores_are_those_of_transformers_each_prompt_alone(path: Path, plain: Any, kernels: str) -> None:
    wanted = [
        plain(torch.tensor([JOB.prefix + item])).logits[0, -1, [7, 3, 250]].softmax(-1) for item in JOB.items
    ]
    torch.testing.assert_close(scores(opened(path, kernels)), torch.stack(wanted), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_text_is_that_of_transformers_each_prompt_alone(path: Path, plain: Any) -> None:
    prompts = [[5, 9, 200], [4, 8, 15, 16, 23, 42] * 5]
    jobs = [
        GenerateJob(prompt=prompt, max_tokens=8, temperature=0.0, frequency_penalty=0.0, stop=())
        for prompt in prompts
    ]
    engine = opened(path)
    for prompt, made in zip(prompts, engine.generate_many(jobs), strict=True):
        row = list(prompt)
        while len(row) < len(prompt) + made.tokens:
            row.append(int(plain(torch.tensor([row])).logits[0, -1].argmax()))
        assert engine._decode(row[len(prompt) :]) == made.text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shards_of_half_precision_score_as_the_same_weights_in_one_file(
    path: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    whole, shards = tmp_path / "whole", tmp_path / "shards"
    halves = {name: w.to(dtype) for name, w in load_file(path / "model.safetensors").items()}
    for folder in (whole, shards):
        folder.mkdir()
        for name in ("config.json", "tokenizer.json"):
            (folder / name).write_bytes((path / name).read_bytes())
    save_file({name: w.float() for name, w in halves.items()}, whole / "model.safetensors")
    places = {name: f"{number % 2}.safetensors" for number, name in enumerate(halves)}
    for file in set(places.values()):
        save_file({name: halves[name] for name in halves if places[name] == file}, shards / file)
    index = {"weight_map": places}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(scores(opened(whole)), scores(opened(shards)))
