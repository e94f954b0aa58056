"""Write a Qwen3 or Llama checkpoint as a GGUF file for llama.cpp, in whose environment this runs, without torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from models.writing import replacing_file

TYPES = {
    "float32": gguf.GGMLQuantizationType.F32,
    "bfloat16": gguf.GGMLQuantizationType.BF16,
    "float16": gguf.GGMLQuantizationType.F16,
    "int8": gguf.GGMLQuantizationType.Q8_0,
}
READERS: dict[str, Callable[[bytes], npt.NDArray[np.float32]]] = {
    "BF16": lambda raw: (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32),
    "F32": lambda raw: np.frombuffer(raw, np.float32),
}
NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def ensure(checkpoint: Path, dtype: str) -> Path:
    """The GGUF file beside the weights, written unless it exists; norms stay in float32."""
    path = checkpoint / f"{dtype}.gguf"
    if not path.is_file():
        with replacing_file(path) as partial:
            _write(checkpoint, partial, TYPES[dtype])
    return path


def _write(checkpoint: Path, path: Path, kind: gguf.GGMLQuantizationType) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    writer = gguf.GGUFWriter(path, config["model_type"])
    _describe(writer, config)
    for name, stored in _tensors(checkpoint / "model.safetensors"):
        values = _arranged(name, stored, config)
        kept = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else kind
        writer.add_tensor(_renamed(name), gguf.quants.quantize(values, kept), raw_dtype=kept)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters") or config
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")


def _tensors(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Names and values in float32 of a safetensors file in bfloat16 or float32."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            file.seek(8 + size + start)
            yield name, READERS[entry["dtype"]](file.read(end - start)).reshape(entry["shape"])


def _arranged(name: str, values: npt.NDArray[np.float32], config: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Llama's queries and keys as llama.cpp rotates them: each pair of numbers that turns together side by side."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
    if config["model_type"] != "llama" or heads is None:
        return values
    halves = values.reshape(config[heads], 2, config["head_dim"] // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)


def _renamed(name: str) -> str:
    plain = name.removeprefix("model.").removesuffix(".weight")
    if plain.startswith("layers."):
        _, index, part = plain.split(".", 2)
        return f"blk.{index}.{NAMES[part]}.weight"
    return {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}[plain] + ".weight"
