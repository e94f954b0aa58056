"""Low-rank adapters: trained alone, resumed to the same losses, served merged, and refused where they do not fit."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.card import prompt_tokens
from models.engine.base import ScoreJob
from models.engine.checkpoint import load_checkpoint
from models.engine.checkpoint_engine import EngineConfig
from models.importing import Import, import_model
from models.placing import place_adapter
from models.prompts import Prompter
from models.server.opening import open_engine
from nearline.stack.smollm2 import smollm2_ranker
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.sft.world import CPU, SMALL, losses, stop_after, tune, world
from training.components.stopping import Stop
from training.recipes import recipe
from training.sft.config import AdapterConfig, SftConfig, SftStage
from training.sft.overrides import override
from training.sft.run import Inputs

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True}
CONFIG = replace(
    SMALL,
    stages=(SftStage(epochs=2, rate=3e-3),),
    budget_tokens=100,
    adapter=AdapterConfig(rank=4, alpha=8.0),
)
MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("given")
    write_checkpoint(folder / "llama", byte_level_tokenizer(), **LLAMA)
    return replace(world(folder), model=folder / "llama")


@pytest.fixture(scope="module")
def whole(given: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    tune(given, out, CONFIG)
    return out


def engine_scores(directory: Path, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    engine = open_engine(directory, EngineConfig(dtype="float32", device="cpu", role="ranker"))
    labels = [list(Prompter.from_dir(directory).label_ids)] * len(prompts)
    job = ScoreJob(prefix=[5], items=prompts, labels=labels, softmax_over_labels=True, temperature=1.0)
    return torch.tensor(engine.score_many([job])[0])


def changed(best: Path, out: Path, **changes: object) -> Path:
    """A copy of the adapter with other entries in its configuration."""
    out.mkdir()
    for file in best.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    config = json.loads((best / "adapter_config.json").read_text())
    (out / "adapter_config.json").write_text(json.dumps(config | changes))
    return out


def test_best_is_the_adapter_alone_with_a_card_of_base_data_and_figures(whole: Path, given: Inputs) -> None:
    best = whole / "best"
    names = {"README.md", "adapter_config.json", "adapter_model.safetensors", "nearline.json"}
    assert {file.name for file in best.iterdir()} == names
    card = (best / "README.md").read_text()
    assert all(part in card for part in ("tiny@1", "64 for labels", "dev NDCG@10", "rank 4", "100 tokens"))
    assert set(load_file(best / "adapter_model.safetensors")) == {
        f"base_model.model.model.layers.{layer}.{module}.lora_{side}.weight"
        for layer in range(2)
        for module in (
            *(f"self_attn.{name}_proj" for name in "qkvo"),
            *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
        )
        for side in "AB"
    }
    assert load_file(given.model / "model.safetensors").keys() == load_checkpoint(best, "r").weights.keys()


def test_training_an_adapter_lowers_the_loss(whole: Path) -> None:
    found = losses(whole)
    assert sum(found[-3:]) < sum(found[:3])


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft asks for it
@torch.inference_mode()
def test_merged_scores_are_those_of_transformers_with_peft(whole: Path, given: Inputs) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    best, prompts = whole / "best", [[7, 9, 11], [30, 2, 41, 8, 8], [12]]
    plain = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(plain, best)
    labels = list(Prompter.from_dir(best).label_ids)
    wanted = [adapted(torch.tensor([[5, *one]])).logits[0, -1, labels].softmax(-1) for one in prompts]
    torch.testing.assert_close(engine_scores(best, prompts), torch.stack(wanted), atol=1e-5, rtol=0)
    assert not torch.allclose(engine_scores(best, prompts), engine_scores(given.model, prompts), atol=1e-3)


def test_a_merged_directory_scores_as_the_adapter(whole: Path, tmp_path: Path) -> None:
    from datetime import date

    import_model(Import(source=whole / "best", out=tmp_path / "merged", day=date(2026, 11, 30)))
    prompts = [[7, 9, 11], [12]]
    merged = engine_scores(tmp_path / "merged", prompts)
    torch.testing.assert_close(merged, engine_scores(whole / "best", prompts), atol=1e-6, rtol=0)
    assert prompt_tokens(tmp_path / "merged") == 100


def test_an_adapter_is_placed_on_a_base_that_fits(whole: Path, given: Inputs, tmp_path: Path) -> None:
    shipped = changed(whole / "best", tmp_path / "shipped", base_model_name_or_path="SmolLM2")
    (tmp_path / "smollm2").symlink_to(given.model)
    ranker = smollm2_ranker(shipped, tmp_path)
    prompts = [[7, 9, 11], [12]]
    assert torch.equal(engine_scores(ranker, prompts), engine_scores(whole / "best", prompts))
    place_adapter(shipped, given.model, ranker)
    other = write_checkpoint(tmp_path / "other", byte_level_tokenizer(), **LLAMA | {"intermediate_size": 64})
    with pytest.raises(ConfigError, match="other weights"):
        place_adapter(shipped, other, ranker)
    with pytest.raises(ConfigError, match="holds no adapter_config"):
        place_adapter(given.model, given.model, tmp_path / "out")
    with pytest.raises(ConfigError, match="is no adapter"):
        place_adapter(shipped, given.model, tmp_path / "other")
    assert torch.equal(engine_scores(ranker, prompts), engine_scores(whole / "best", prompts))


def test_a_stack_of_smollm2_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no adapter in .*nearline train sft"):
        smollm2_ranker(tmp_path / "none", tmp_path)


def test_prompts_are_as_short_as_in_training(whole: Path) -> None:
    assert Prompter.from_dir(whole / "best").budget == 100


def test_a_resumed_run_has_the_losses_of_one_that_was_never_stopped(
    whole: Path, given: Inputs, tmp_path: Path
) -> None:
    stop = Stop()
    tune(given, tmp_path / "whole", CONFIG, watch=stop_after(stop, 3), stop=stop)
    assert {file.name for file in (tmp_path / "whole" / "step-3").iterdir()} >= {"adapter_model.safetensors"}
    tune(given, tmp_path / "whole", CONFIG, resume=True)
    assert losses(tmp_path / "whole") == losses(whole)
    ours, theirs = (
        load_file(run / "best" / "adapter_model.safetensors") for run in (tmp_path / "whole", whole)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"intermediate_size": 64}, "another shape"),
        ({"num_hidden_layers": 3}, "layers.2"),
        ({"num_hidden_layers": 1}, "layers.1"),
        ({}, "other weights"),
    ],
)
def test_a_base_that_is_not_the_adapter_s_is_refused(
    whole: Path, tmp_path: Path, other: dict[str, int], said: str
) -> None:
    base = write_checkpoint(tmp_path / "base", byte_level_tokenizer(), **LLAMA | other)
    adapter = changed(whole / "best", tmp_path / "adapter", base_model_name_or_path=str(base))
    if other:
        (adapter / "nearline.json").unlink()
    else:
        weights = load_file(base / "model.safetensors")
        save_file({name: w * 1.01 for name, w in weights.items()}, base / "model.safetensors")
    with pytest.raises(ConfigError, match=said):
        load_checkpoint(adapter, "ranker")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_model_name_or_path": "/nowhere"}, "no directory"),
        ({"base_model_name_or_path": None}, "names no base"),
        ({"use_dora": True}, "use_dora"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": 8}, "rank 8"),
        ({"target_modules": "all-linear"}, "target_modules"),
        ({"target_modules": ["q_proj"]}, "which the base"),
    ],
)
def test_an_adapter_that_would_be_computed_otherwise_is_refused(
    whole: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_checkpoint(changed(whole / "best", tmp_path / "adapter", **changes), "ranker")


def test_a_damaged_adapter_is_refused(whole: Path, tmp_path: Path) -> None:
    adapter = changed(whole / "best", tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] * float("nan")}, adapter / "adapter_model.safetensors")
    with pytest.raises(ConfigError, match="not finite"):
        load_checkpoint(adapter, "ranker")
    save_file({key: w for key, w in weights.items() if key != name}, adapter / "adapter_model.safetensors")
    with pytest.raises(ConfigError, match="only one of its two"):
        load_checkpoint(adapter, "ranker")


def test_an_adapter_is_no_model_to_train_or_prune(whole: Path, given: Inputs, tmp_path: Path) -> None:
    from models.pruning.checkpoint import load

    with pytest.raises(ConfigError, match="merges it"):
        tune(replace(given, model=whole / "best"), tmp_path / "run", CONFIG)
    with pytest.raises(ConfigError, match="merges it"):
        load(whole / "best")


def test_an_adapter_needs_a_trained_base(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--from-scratch"):
        tune(replace(given, from_scratch=True), tmp_path / "run", CONFIG)
    with pytest.raises(ConfigError, match="--shard"):
        tune(given, tmp_path / "run", CONFIG, machine=replace(CPU, shard=True))


def test_settings_of_the_adapter_are_changed_by_name() -> None:
    (config,) = recipe("adapter_smollm2").works
    assert isinstance(config, SftConfig)
    found = override(config, ["adapter.rank=8", "adapter.targets=mlp"])
    assert found.adapter == AdapterConfig(rank=8, targets="mlp")
    with pytest.raises(ConfigError, match="give --adapter"):
        override(SMALL, ["adapter.rank=8"])


def test_the_recipe_s_adapter_of_smollm2_stays_below_12_mb() -> None:
    (config,) = recipe("adapter_smollm2").works
    assert isinstance(config, SftConfig)
    assert config.adapter is not None
    hidden, narrow, mlp, layers = 576, 192, 1536, 30
    sides = 2 * (hidden + hidden) + 2 * (hidden + narrow) + 3 * (hidden + mlp)
    assert config.best_dtype == "bfloat16"
    assert 2 * layers * config.adapter.rank * sides < MOST_BYTES - 500_000
