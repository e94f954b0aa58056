"""Directories in and out: what stock loaders read, what survives a failed write, what the card tells."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.engine.base import ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.pruning import checkpoint as checkpoints
from models.pruning.calibration import CalibrationSet
from models.pruning.config import MlpPruning
from models.pruning.layer_drop import drop_layers
from models.pruning.lineage import FILE, LineageStep, read_steps
from models.pruning.mlp import prune_mlps
from models.pruning.states import MemoryStates
from models.weights_hash import weights_sha256
from models.writing import replacing
from schemas.errors import ConfigError, StoreFull
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

IDS = [5, 6, 7, 8, 9]


def step(parent: Path, **changes: object) -> LineageStep:
    given = {"what": "halved", "command": "nearline prune", "parent": parent.name}
    return LineageStep(**{**given, "parent_sha256": weights_sha256(parent), **changes})  # type: ignore[arg-type]


def stored(tmp_path: Path, dtype: torch.dtype, *, tied: bool) -> Path:
    path = write_checkpoint(tmp_path / "dense", byte_level_tokenizer(), tie_word_embeddings=tied)
    file = path / "model.safetensors"
    save_file(
        {name: value.to(dtype) for name, value in load_file(file).items()}, file, metadata={"format": "pt"}
    )
    (path / "generation_config.json").write_text('{"eos_token_id": 1}')
    return path


def smaller(path: Path) -> checkpoints.LoadedCheckpoint:
    source = checkpoints.load(path)
    prompts = CalibrationSet([[n % 300, 3, 4, n % 7, 9] for n in range(60)])
    prune_mlps(source.model, prompts, MemoryStates(), MlpPruning(keep=0.25), dtype=source.dtype)
    drop_layers(source.model, [1])
    return source


def files(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir()}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_pruned_directory_loads_unchanged_in_transformers_with_the_same_logits(
    tmp_path: Path,
    dtype: torch.dtype,
    tied: bool,
) -> None:
    source = smaller(stored(tmp_path, dtype, tied=tied))
    checkpoints.save(source, tmp_path / "small", step(source.path))
    loaded, info = AutoModelForCausalLM.from_pretrained(
        tmp_path / "small", dtype=torch.float32, output_loading_info=True
    )
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.inference_mode():
        ours, theirs = (model(torch.tensor([IDS])).logits for model in (source.model, loaded))
    assert torch.equal(ours, theirs)
    assert (loaded.config.intermediate_size, loaded.config.num_hidden_layers) == (12, 1)


@pytest.mark.parametrize("kind", ["Llama", "Qwen2"])
def test_other_architectures_are_pruned_to_what_transformers_and_the_engine_read(
    tmp_path: Path, kind: str
) -> None:
    path = write_checkpoint(
        tmp_path / "dense",
        byte_level_tokenizer(),
        model_type=kind.lower(),
        architectures=[f"{kind}ForCausalLM"],
    )
    source = smaller(path)
    checkpoints.save(source, tmp_path / "small", step(path))
    loaded = checkpoints.load(tmp_path / "small").model
    with torch.inference_mode():
        ours, theirs = (model(torch.tensor([IDS])).logits for model in (source.model, loaded))
    assert torch.equal(ours, theirs)
    assert (type(loaded).__name__, loaded.config.intermediate_size) == (f"{kind}ForCausalLM", 12)


@pytest.mark.parametrize("tied", [True, False])
def test_dtype_and_tied_head_are_kept(tmp_path: Path, tied: bool) -> None:
    source = smaller(stored(tmp_path, torch.bfloat16, tied=tied))
    checkpoints.save(source, tmp_path / "small", step(source.path))
    weights = load_file(tmp_path / "small" / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.bfloat16}
    assert ("lm_head.weight" in weights) is not tied


def test_the_served_engine_reads_a_pruned_directory(tmp_path: Path) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    checkpoints.save(source, tmp_path / "small", step(source.path), name="ranker@2")
    engine = CheckpointEngine(tmp_path / "small", EngineConfig(dtype="float32", device="cpu", threads=1))
    assert engine.info.name == "ranker@2"
    job = ScoreJob(
        prefix=IDS[:2], items=[IDS[2:]], labels=[[3, 4]], softmax_over_labels=True, temperature=1.0
    )
    ((scores,),) = engine.score_many([job])
    with torch.inference_mode():
        logits = source.model(torch.tensor([IDS])).logits[0, -1, [3, 4]]
    assert torch.allclose(torch.tensor(scores), logits.softmax(0), atol=1e-4)


def test_all_but_weights_and_the_changed_numbers_stay_as_the_parent_has_them(tmp_path: Path) -> None:
    dense = stored(tmp_path, torch.float32, tied=True)
    source = smaller(dense)
    checkpoints.save(source, tmp_path / "small", step(dense))
    before, after = (json.loads((path / "config.json").read_text()) for path in (dense, tmp_path / "small"))
    assert after == before | {"intermediate_size": 12, "num_hidden_layers": 1}
    for name in ("tokenizer.json", "generation_config.json"):
        assert (tmp_path / "small" / name).read_bytes() == (dense / name).read_bytes()


def test_a_list_of_layer_types_shrinks_with_the_layers(tmp_path: Path) -> None:
    dense = write_checkpoint(tmp_path / "dense", byte_level_tokenizer(), layer_types=["full_attention"] * 2)
    source = smaller(dense)
    checkpoints.save(source, tmp_path / "small", step(dense))
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["layer_types"] == ["full_attention"]


def test_the_shipped_tokenizer_loads_from_a_pruned_copy_of_the_shipped_ranker(tmp_path: Path) -> None:
    shipped = Path("models/checkpoints/ranker-tiny")
    source = checkpoints.load(shipped)
    drop_layers(source.model, [1])
    checkpoints.save(source, tmp_path / "small", step(shipped))
    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (tmp_path / "small", shipped))
    assert ours("Staff nurse, nights").input_ids == theirs("Staff nurse, nights").input_ids


def full_disk(_: dict[str, Tensor], path: Path) -> None:
    path.write_bytes(b"half of the weights")
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def killed(_: dict[str, Tensor], path: Path) -> None:
    path.write_bytes(b"half of the weights")
    raise KeyboardInterrupt


@pytest.mark.parametrize(("writer", "raised"), [(full_disk, StoreFull), (killed, KeyboardInterrupt)])
def test_a_write_that_fails_leaves_the_last_good_checkpoint_as_it_was(
    tmp_path: Path, writer: checkpoints.Writer, raised: type[BaseException]
) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    out = tmp_path / "small"
    checkpoints.save(source, out, step(source.path))
    before = files(out)
    with pytest.raises(raised):
        checkpoints.save(source, out, step(source.path, what="again"), writer=writer)
    assert files(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dense", "small"]


def test_a_full_disk_is_an_error_that_names_the_directory(tmp_path: Path) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    with pytest.raises(StoreFull, match=r"cannot write .*small: No space left on device"):
        checkpoints.save(source, tmp_path / "small", step(source.path), writer=full_disk)
    assert not (tmp_path / "small").exists()


def test_a_checkpoint_that_was_there_is_replaced_whole(tmp_path: Path) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    out = tmp_path / "small"
    checkpoints.save(source, out, step(source.path), name="ranker@2")
    (out / "left-over.json").write_text("{}")
    checkpoints.save(source, out, step(source.path))
    assert not {"left-over.json", "nearline.json"} & files(out).keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dense", "small"]


def test_what_a_kill_left_half_written_is_gone_after_the_next_write(tmp_path: Path) -> None:
    beside = tmp_path / ".small.partial"
    beside.mkdir()
    (beside / "model.safetensors").write_bytes(b"half")
    with replacing(tmp_path / "small") as folder:
        (folder / "config.json").write_text("{}")
    assert {path.name for path in tmp_path.rglob("*")} == {"small", "config.json"}


def test_the_checkpoint_that_is_read_is_never_written_over(tmp_path: Path) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    with pytest.raises(ConfigError, match="is the checkpoint that is read"):
        checkpoints.save(source, source.path, step(source.path))


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    source = smaller(stored(tmp_path, torch.float32, tied=True))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1").write_text("words")
    with pytest.raises(ConfigError, match="is no checkpoint"):
        checkpoints.save(source, tmp_path / "thesis", step(source.path))
    assert files(tmp_path / "thesis") == {"chapter-1": b"words"}


def test_the_card_tells_parents_commands_calibration_and_figures(tmp_path: Path) -> None:
    dense = stored(tmp_path, torch.float32, tied=True)
    (dense / "README.md").write_text("# The dense one\nApache-2.0")
    first = step(dense, calibration={"tokens": 300, "sha256": "abc"}, figures={"NDCG@10": 0.8123456})
    source = smaller(dense)
    checkpoints.save(source, tmp_path / "small", first)
    again = checkpoints.load(tmp_path / "small")
    checkpoints.save(again, tmp_path / "smaller", step(tmp_path / "small", what="copied"), name="ranker@3")
    card = (tmp_path / "smaller" / "README.md").read_text()
    assert "# ranker@3" in card
    for said in (
        weights_sha256(dense),
        weights_sha256(tmp_path / "small"),
        "`nearline prune`",
        "0.8123",
        "abc",
    ):
        assert said in card
    assert [each["what"] for each in read_steps(tmp_path / "smaller")] == ["halved", "copied"]
    assert (tmp_path / "smaller" / "README.parent.md").read_text() == "# The dense one\nApache-2.0"


def foreign(path: Path) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))


def without_weights(path: Path) -> None:
    (path / "model.safetensors").unlink()


def damaged_lineage(path: Path) -> None:
    (path / FILE).write_text("{}")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(foreign, "not a plain llama checkpoint"), (without_weights, "cannot read the weights")],
)
def test_what_is_no_whole_checkpoint_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    path = stored(tmp_path, torch.float32, tied=True)
    damage(path)
    with pytest.raises(ConfigError, match=said):
        checkpoints.load(path)


def test_a_damaged_lineage_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path, torch.float32, tied=True)
    damaged_lineage(path)
    with pytest.raises(ConfigError, match=r"lineage\.json is no lineage"):
        read_steps(path)
