"""The model shapes that are measured, and their checkpoints: random weights, and one pretrained model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from models.engine.checkpoint import ModelShape, expected_weights, read_shape
from models.smollm2 import gguf_file, imported

ROOT = Path(__file__).parents[2]
TINY = ROOT / "models" / "checkpoints" / "ranker-tiny"
SMOLLM2, SMOLLM2_DTYPE = "smollm2", "q4_1"
"""A pretrained model, and the type of most weights in the file that it is imported from."""
CONTEXT = 4096
STD = 0.02
"""Standard deviation of every matrix, as in transformers; with it label logits differ by about one."""


def _qwen3(layers: int, mlp: int) -> ModelShape:
    """Qwen3-0.6B with `layers` blocks of an MLP of `mlp` neurons."""
    return ModelShape(
        layers=layers,
        hidden=1024,
        heads=16,
        kv_heads=8,
        head_dim=128,
        mlp=mlp,
        vocab=151_936,
        context=CONTEXT,
        rope_theta=1e6,
        norm_eps=1e-6,
        tied=True,
    )


def shape_of(name: str) -> ModelShape:
    """`dense` (596M parameters), `pruned` (376M) or `tiny`, the shipped ranker's: KeyError for another name."""
    if name == "tiny":
        return read_shape(TINY)
    return {"dense": _qwen3(28, 3072), "pruned": _qwen3(20, 1536)}[name]


def ensure(name: str, folder: Path, smollm2: Path | None = None) -> Path:
    """The checkpoint directory of a shape under `folder`, written if it is not there.

    That of `smollm2` is imported from its GGUF file, which stands beside the weights for llama.cpp to read as it is;
    SmolLM2Unavailable without it.
    """
    if name == SMOLLM2:
        return _imported(folder, smollm2)
    path = folder / name
    if not (path / "nearline.json").is_file():
        write(path, shape_of(name), name)
    return path


def _imported(folder: Path, named: Path | None) -> Path:
    path, file = imported(folder, named), gguf_file(named)
    link = path / f"{SMOLLM2_DTYPE}.gguf"
    link.unlink(missing_ok=True)
    link.symlink_to(file.resolve())
    return path


def write(path: Path, shape: ModelShape, name: str) -> None:
    """A random bfloat16 checkpoint, with the shipped tokenizer: requests carry ids, so that its words do not matter."""
    import torch
    from safetensors.torch import save_file

    path.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    weights = {
        key: ((STD if len(size) > 1 else 0.1) * torch.randn(size, generator=generator) + (len(size) == 1)).to(
            torch.bfloat16
        )
        for key, size in expected_weights(shape).items()
    }
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / file, path / file)
    (path / "config.json").write_text(json.dumps(_config(shape), indent=1))
    (path / "nearline.json").write_text(json.dumps({"name": f"{name}@1"}))


def parameters(shape: ModelShape) -> int:
    """How many weights a checkpoint of this shape holds."""
    sizes = expected_weights(shape).values()
    return sum(size[0] * (size[1] if len(size) > 1 else 1) for size in sizes)


def _config(shape: ModelShape) -> dict[str, object]:
    return {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "dtype": "bfloat16",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.mlp,
        "max_position_embeddings": shape.context,
        "max_window_layers": shape.layers,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": None,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
