"""A checkpoint directory is computed as transformers computes it, or refused by one line that names the entry."""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from models.engine.base import ScoreJob
from models.engine.checkpoint import load_checkpoint, read_shape
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.engine.kernel_choice import AUTO, TORCH
from models.engine.native.loading import load_kernels
from models.prompts import Prompter, load_tokenizer
from models.pruning import checkpoint as pruning
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from training.evaluation.offline import load as load_offline
from training.sft.model import open_model, open_prompter

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
LLAMA = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}
COMPUTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain, named": {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
    "no base": {"rope_theta": 10_000.0, "rope_parameters": {}},
    "linear under type": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "linear beside a base": {"rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 1e6}},
    "both names, one meaning": {
        "rope_parameters": {"type": "linear", "factor": 2.0},
        "rope_scaling": {"type": "linear", "factor": 2.0},
    },
    "dynamic": {"rope_scaling": {"rope_type": "dynamic", "factor": 2.5}},
    "yarn": {"rope_parameters": YARN},
    "yarn under type": {"rope_scaling": {"type": "yarn", "factor": 4.0, "rope_theta": 1e6}},
    "yarn with both keys": {"rope_scaling": {**YARN, "type": "yarn"}},
    "yarn with an attention factor": {"rope_parameters": {**YARN, "attention_factor": 0.7}},
    "yarn with mscale": {"rope_parameters": {**YARN, "mscale": 1.0, "mscale_all_dim": 0.4}},
    "yarn with turns": {"rope_parameters": {**YARN, "beta_fast": 16, "beta_slow": 2, "truncate": False}},
    "llama3": {"rope_parameters": {**LLAMA, "rope_theta": 10_000.0}},
    "llama3 of short contexts": {"rope_scaling": {**LLAMA, "original_max_position_embeddings": 40}},
    "swish": {"hidden_act": "swish"},
    "one window over all": {"layer_types": ["full_attention"] * 2, "sliding_window": 8},
    "windows that no prompt reaches": {
        "use_sliding_window": True,
        "sliding_window": 512,
        "max_window_layers": 1,
    },
    "windows of later layers": {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 2},
    "biases": {"attention_bias": True},
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
    "llama with biases": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": True,
    },
    "llama 3": {"model_type": "llama", "architectures": None, "rope_scaling": LLAMA, "head_dim": 8},
    "qwen2": {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": False},
    "partial rotary of the whole": {"partial_rotary_factor": 1.0},
    "inert entries": {
        "use_cache": False,
        "torch_dtype": "bfloat16",
        "repetition_penalty": 1.1,
        "mlp_bias": False,
    },
    "tied": {"tie_word_embeddings": True},
    "norm": {"rms_norm_eps": 1e-2},
}
LONG = [[7 + (3 * i * i + 5 * i) % 300 for i in range(n)] for n in (2, 60, 380)]


TOKENIZER = cache(byte_level_tokenizer)


def directory(path: Path, **changes: Any) -> Path:
    return write_checkpoint(path, TOKENIZER(), **changes)


@torch.inference_mode()
def assert_scores_are_those_of_transformers(path: Path, *, kernels: str = TORCH) -> None:
    engine = CheckpointEngine(path, EngineConfig(dtype="float32", device="cpu", threads=1, kernels=kernels))
    labels = [7, 3, 250]
    job = ScoreJob(
        prefix=[4, 9, 30] * 20,
        items=LONG,
        labels=[labels] * len(LONG),
        softmax_over_labels=True,
        temperature=1.0,
    )
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    for row, item in zip(engine.score_many([job])[0], LONG, strict=True):
        logits = model(torch.tensor([job.prefix + item])).logits[0, -1, labels]
        torch.testing.assert_close(torch.tensor(row), logits.softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("changes", COMPUTED.values(), ids=COMPUTED)
def test_scores_are_those_of_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert_scores_are_those_of_transformers(directory(tmp_path, **changes))


def test_scores_of_the_kernels_are_those_of_transformers_under_yarn(tmp_path: Path) -> None:
    if load_kernels() is None:
        pytest.skip("this machine cannot have the kernels")
    assert_scores_are_those_of_transformers(directory(tmp_path, rope_scaling=YARN), kernels=AUTO)


def test_rope_scaling_changes_what_is_computed(tmp_path: Path) -> None:
    shapes = [read_shape(directory(tmp_path / name, **changes)) for name, changes in COMPUTED.items()]
    assert {shape.rope.kind for shape in shapes} == {"default", "linear", "dynamic", "yarn", "llama3"}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two scalings": (
        {"rope_parameters": {"rope_theta": 1e6}, "rope_scaling": {"type": "linear", "factor": 4.0}},
        "rope_parameters and rope_scaling say different things",
    ),
    "two kinds": ({"rope_scaling": {"type": "yarn", "rope_type": "linear", "factor": 2}}, "linear and yarn"),
    "longrope": (
        {"rope_scaling": {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}},
        "longrope",
    ),
    "proportional": ({"rope_parameters": {"rope_type": "proportional"}}, "proportional"),
    "mrope": ({"rope_scaling": {"type": "mrope", "mrope_section": [4, 2, 2]}}, "mrope"),
    "nested": (
        {"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 4.0}}},
        "full_attention",
    ),
    "partial rotary": ({"partial_rotary_factor": 0.5}, r"partial_rotary_factor 0\.5"),
    "partial rotary, inside": ({"rope_parameters": {"partial_rotary_factor": 0.25}}, "partial_rotary_factor"),
    "linear without factor": (
        {"rope_scaling": {"type": "linear"}},
        "factor of rope kind .linear. must be a number",
    ),
    "a factor as text": (
        {"rope_scaling": {"type": "linear", "factor": "4"}},
        "factor of rope kind .linear. must be a number",
    ),
    "a factor of 0": ({"rope_scaling": {"type": "linear", "factor": 0}}, "must be a number above 0"),
    "a factor of the plain kind": ({"rope_parameters": {"factor": 4.0}}, r"'default' with factor 4\.0"),
    "no base": ({"rope_parameters": {"rope_theta": None}}, "rope_theta must be a number"),
    "rope as text": ({"rope_scaling": "yarn"}, "not an object"),
    "llama3 the wrong way": (
        {"rope_scaling": {**LLAMA, "low_freq_factor": 8.0}},
        "low_freq_factor 8.0 is not below",
    ),
    "truncate as text": ({"rope_parameters": {**YARN, "truncate": "no"}}, "truncate must be true or false"),
    "original context outside": (
        {"original_max_position_embeddings": 64},
        "original_max_position_embeddings",
    ),
    "attention_bias": ({"attention_bias": "yes"}, "attention_bias"),
    "a switch that qwen2 has not": (
        {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "attention_bias": True},
        "no switch",
    ),
    "mlp_bias": ({"mlp_bias": True}, "mlp_bias"),
    "window": (
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
        "sliding_window of 8 tokens",
    ),
    "window as text": ({"use_sliding_window": "false"}, "use_sliding_window"),
    "window that llama has no switch for": (
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "sliding_window": 511},
        "sliding_window of 511",
    ),
    "sliding layers": ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
    "too few layer types": ({"layer_types": ["full_attention"]}, "layer_types must be 2 times"),
    "activation": ({"hidden_act": "gelu_pytorch_tanh"}, "hidden_act"),
    "softcapping": ({"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
    "attention softcapping": ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    "attention scaling": ({"attention_multiplier": 0.5}, "attention_multiplier"),
    "logit scale": ({"logits_scaling": 8.0}, "logits_scaling"),
    "no norms": ({"use_qk_norm": False}, "use_qk_norm"),
    "layers of their own": ({"per_layer_config": {"0": {"head_dim": 8}}}, "per_layer_config"),
    "experts": ({"num_experts": 4}, "num_experts"),
    "custom code": ({"auto_map": {"AutoModel": "modeling.Mine"}}, "auto_map"),
    "other weights": ({"transformers_weights": "other.safetensors"}, "transformers_weights"),
    "quantized": ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config"),
    "classifier": ({"architectures": ["Qwen3ForSequenceClassification"]}, "Qwen3ForSequenceClassification"),
    "two architectures": ({"architectures": ["Qwen3ForCausalLM", "Mine"]}, "architectures"),
    "base model": ({"architectures": ["Qwen3Model"]}, "Qwen3Model"),
    "regression": ({"problem_type": "regression"}, "problem_type"),
    "mixture of experts": ({"model_type": "qwen3_moe"}, "qwen3_moe.*mixtures of experts"),
    "other model": (
        {"model_type": "gemma3_text"},
        "gemma3_text.*no other architecture is computed than qwen3",
    ),
    "class of another model": ({"model_type": "qwen2"}, "Qwen3ForCausalLM"),
    "a list as model": ({"model_type": ["llama"]}, "model_type"),
    "tied as text": ({"tie_word_embeddings": "false"}, "tie_word_embeddings must be true or false"),
    "norm of text": ({"rms_norm_eps": "1e-6"}, "rms_norm_eps"),
    "norm of NaN": ({"rms_norm_eps": math.nan}, "rms_norm_eps"),
    "heads as text": ({"num_attention_heads": "4"}, "num_attention_heads"),
    "half a layer": ({"num_hidden_layers": 1.5}, "num_hidden_layers"),
    "no head": ({"head_dim": None}, "head_dim"),
    "an odd head": ({"head_dim": 15}, "odd"),
    "three of four heads": ({"num_key_value_heads": 3}, "cannot share 3"),
    "end as text": ({"eos_token_id": "<|im_end|>"}, "eos_token_id"),
}


def change(path: Path, **changes: object) -> None:
    file = path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


OPENERS: dict[str, Callable[[Path], object]] = {
    "serve": lambda path: load_checkpoint(path, "ranker"),
    "prune": pruning.load,
    "sft": open_model,
    "offline": load_offline,
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_scored_otherwise_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = directory(tmp_path)
    change(path, **changes)
    with pytest.raises(ConfigError, match=said) as caught:
        load_checkpoint(path, "ranker")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["num_key_value_heads", "head_dim"])
def test_an_entry_that_is_missing_has_the_value_that_transformers_gives_it(tmp_path: Path, name: str) -> None:
    path = directory(tmp_path)
    config = json.loads((path / "config.json").read_text())
    del config[name]
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError):
        load_checkpoint(path, "ranker")


def edit_weights(path: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(path / "model.safetensors")
    edit(weights)
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})


def other_head(path: Path) -> None:
    def edit(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"] + 1e-3

    change(path, tie_word_embeddings=True)
    edit_weights(path, edit)


def adds(name: str, size: tuple[int, ...]) -> Callable[[Path], None]:
    return lambda path: edit_weights(path, lambda weights: weights.update({name: torch.zeros(size)}))


def as_type(dtype: torch.dtype) -> Callable[[Path], None]:
    name = "model.layers.0.mlp.up_proj.weight"
    return lambda path: edit_weights(path, lambda weights: weights.update({name: weights[name].to(dtype)}))


def index_of(**places: object) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        weights = load_file(path / "model.safetensors")
        (path / "model.safetensors").rename(path / "a.safetensors")
        index = {"weight_map": {**dict.fromkeys(weights, "a.safetensors"), **places}}
        (path / "model.safetensors.index.json").write_text(json.dumps(index))

    return spoil


def writes(name: str, content: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        (path / name).write_text(content)

    return spoil


def half(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: len(content) // 2])

    return spoil


def beside_an_index(path: Path) -> None:
    whole = (path / "model.safetensors").read_bytes()
    index_of()(path)
    (path / "model.safetensors").write_bytes(whole)


def in_two_shards(path: Path) -> None:
    index_of()(path)
    save_file({"model.norm.weight": torch.zeros(32)}, path / "b.safetensors")
    index = path / "model.safetensors.index.json"
    places = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": {**places, "model.norm.weight": "b.safetensors"}}))


DAMAGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a head that differs from the tied embedding": (other_head, "differs from the embedding"),
    "a classifier's head": (adds("score.weight", (1, 32)), r"tensor score\.weight belongs to no"),
    "biases": (adds("model.layers.0.self_attn.q_proj.bias", (64,)), "bias belongs to no"),
    "more layers than the configuration": (lambda path: change(path, num_hidden_layers=1), r"layers\.1"),
    "fp8": (as_type(torch.float8_e4m3fn), "float8_e4m3fn: quantized weights"),
    "int8": (as_type(torch.int8), "int8: quantized weights"),
    "an adapter": (writes("adapter_config.json", "{}"), "holds an adapter"),
    "a single file beside an index": (beside_an_index, "an index of other files"),
    "a shard that is missing": (index_of(**{"model.norm.weight": "gone.safetensors"}), "gone.safetensors"),
    "a shard outside the directory": (index_of(**{"model.norm.weight": "../b.safetensors"}), r"\.\./b"),
    "a shard that is no text": (index_of(**{"model.norm.weight": 3}), "places model.norm.weight in 3"),
    "a shard without its tensor": (index_of(extra="a.safetensors"), "places extra in a.safetensors, in vain"),
    "a tensor in two shards": (in_two_shards, r"does not place model\.norm\.weight, which a\.safetensors"),
    "an index without a map": (writes("model.safetensors.index.json", "{}"), "no weight_map"),
    "an index that is a list": (writes("model.safetensors.index.json", "[]"), "holds no JSON object"),
    "a torn index": (writes("model.safetensors.index.json", '{"weight_map": {'), "is not JSON"),
    "a map that is a list": (writes("model.safetensors.index.json", '{"weight_map": []}'), "no weight_map"),
    "a torn configuration": (half("config.json"), "is not JSON"),
    "a configuration that is a list": (writes("config.json", "[]"), "holds no JSON object"),
    "a configuration that is a number": (writes("config.json", "3"), "holds no JSON object"),
    "a configuration too deep to read": (writes("config.json", "[" * 100_000), "is not JSON"),
    "torn weights": (half("model.safetensors"), "cannot read the weights"),
    "a pointer in place of weights": (writes("model.safetensors", "version https://git-lfs"), "cannot read"),
    "a torn generation_config": (writes("generation_config.json", '{"eos'), "is not JSON"),
    "an end that is a text": (writes("generation_config.json", '{"eos_token_id": ["x"]}'), "eos_token_id"),
    "a card without a name": (writes("nearline.json", '{"name": 7}'), "name must be a text"),
}


@pytest.mark.parametrize(("spoil", "said"), DAMAGED.values(), ids=DAMAGED)
def test_every_command_refuses_a_damaged_directory_by_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    path = directory(tmp_path)
    spoil(path)
    for opener in OPENERS.values():
        with pytest.raises(ConfigError, match=said) as caught:
            opener(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["qwen2", "llama", "llama with biases", "biases"])
def test_serving_pruning_and_training_read_the_same_weights(tmp_path: Path, name: str) -> None:
    path = directory(tmp_path, tie_word_embeddings=True, rope_scaling=YARN, **COMPUTED[name])
    edit_weights(path, lambda weights: weights.update(repeated(weights)))
    served = load_checkpoint(path, "ranker").weights
    for model in (pruning.load(path).model, open_model(path), load_offline(path)):
        state = model.state_dict()
        assert served.keys() == state.keys() - {"lm_head.weight"}
        assert all(torch.equal(served[name], state[name]) for name in served)
        assert torch.equal(model.lm_head.weight, served["model.embed_tokens.weight"])


def repeated(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}
    return {"lm_head.weight": weights["model.embed_tokens.weight"].clone(), **buffer}


def test_an_index_of_the_single_file_is_no_second_model(tmp_path: Path) -> None:
    path = directory(tmp_path)
    before = load_checkpoint(path, "ranker").weights
    places = dict.fromkeys(before, "model.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    after = load_checkpoint(path, "ranker").weights
    assert all(torch.equal(before[name], after[name]) for name in before)


def without_labels(path: Path) -> None:
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = []
    (path / "tokenizer.json").write_text(json.dumps(tokenizer))


TOKENIZERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "labels of several tokens": (without_labels, "the labels .* must be one token each"),
    "cut in half": (half("tokenizer.json"), "is not a tokenizer"),
    "empty": (writes("tokenizer.json", ""), "is not a tokenizer"),
    "an empty object": (writes("tokenizer.json", "{}"), "is not a tokenizer"),
    "a list": (writes("tokenizer.json", "[]"), "is not a tokenizer"),
}


@pytest.mark.parametrize(("spoil", "said"), TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_tokenizer_that_cannot_ask_is_refused_by_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    path = directory(tmp_path)
    spoil(path)
    for opener in (Prompter.from_dir, lambda path: open_prompter(path, None), open_model):
        with pytest.raises(ConfigError, match=said) as caught:
            opener(path)
        assert "\n" not in str(caught.value)


def test_a_tokenizer_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = directory(tmp_path)
    content = (path / "tokenizer.json").read_bytes()
    for end in range(0, len(content) - 2, max(1, len(content) // 60)):
        (path / "tokenizer.json").write_bytes(content[:end])
        with pytest.raises(ConfigError, match="is not a tokenizer"):
            load_tokenizer(path)
