"""Fine-tuning says which row, file or setting cannot work, and a failed write leaves what was whole."""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import writing
from models.prompts import load_tokenizer
from schemas.errors import ConfigError, StoreFull
from tests.support.tiny import byte_level_tokenizer, word_piece_tokenizer, write_checkpoint
from tests.training.sft.world import SMALL, judgements, lines, tune, world
from training.components.machine import open_machine
from training.components.run_directory import RunDirectory
from training.sft.config import SftConfig, SftStage
from training.sft.model import open_model
from training.sft.overrides import override
from training.sft.run import Inputs

FEW = replace(SMALL, stages=(SftStage(max_steps=2, rate=1e-3),))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    torch.set_num_threads(1)
    return world(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("split", ["train", "dev"])
def test_an_empty_split_is_named(given: Inputs, tmp_path: Path, split: str) -> None:
    judged = [row for row in judgements() if row.split != split]
    with pytest.raises(ConfigError, match=f"judged.parquet: no judgement in split '{split}'"):
        tune(given, tmp_path / "run", judged=judged)
    assert not (tmp_path / "run").exists()


def test_a_soft_label_outside_0_and_1_is_named_by_its_row(given: Inputs, tmp_path: Path) -> None:
    judged = judgements()
    judged[6] = replace(judged[6], soft_label=1.4)
    with pytest.raises(ConfigError, match=r"judgement 7 .*train-nurse-2.*soft label 1\.4 is outside"):
        tune(given, tmp_path / "run", judged=judged)


def test_missing_postings_are_named(given: Inputs, tmp_path: Path) -> None:
    judged = judgements()
    judged[3] = replace(judged[3], posting_id="nowhere")
    with pytest.raises(ConfigError, match="1 judged postings are not in the postings file: nowhere"):
        tune(given, tmp_path / "run", judged=judged)


def test_a_posting_in_two_splits_is_named(given: Inputs, tmp_path: Path) -> None:
    judged = judgements()
    judged.append(replace(judged[0], split="dev", query_id="other"))
    with pytest.raises(
        ConfigError, match=f"posting {judged[0].posting_id} stands in the splits train and dev"
    ):
        tune(given, tmp_path / "run", judged=judged)


def test_dev_queries_without_a_relevant_item_are_refused(given: Inputs, tmp_path: Path) -> None:
    judged = [replace(row, label=0) if row.split == "dev" else row for row in judgements()]
    with pytest.raises(ConfigError, match="none of its 8 queries has an item graded above 0"):
        tune(given, tmp_path / "run", judged=judged)


def test_a_model_directory_without_weights_is_named(given: Inputs, tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "model", byte_level_tokenizer())
    (model / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"cannot read the weights .*model\.safetensors"):
        tune(replace(given, model=model), tmp_path / "run")


@pytest.mark.parametrize(("rows", "said"), [(100, "the model only 100"), (9000, "not one checkpoint")])
def test_a_model_of_another_vocabulary_than_its_tokenizer_is_refused(
    given: Inputs, tmp_path: Path, rows: int, said: str
) -> None:
    model = write_checkpoint(tmp_path / "model", word_piece_tokenizer(), vocab_size=rows)
    with pytest.raises(ConfigError, match=said):
        tune(replace(given, model=model), tmp_path / "run")


def test_a_prompt_budget_beyond_the_context_is_refused(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"budget_tokens 600: .* has room for prompts of 505"):
        tune(given, tmp_path / "run", replace(SMALL, budget_tokens=600))


def test_an_example_longer_than_a_batch_is_refused(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"batch_tokens 32: the longest example has \d+ tokens"):
        tune(given, tmp_path / "run", replace(SMALL, batch_tokens=32))


def test_resuming_with_another_configuration_names_every_key_that_differs(
    given: Inputs, tmp_path: Path
) -> None:
    tune(given, tmp_path / "run", FEW)
    other = replace(FEW, seed=2, stages=(replace(FEW.stages[0], rate=1e-4),))
    with pytest.raises(
        ConfigError, match=r"config\.seed: there 1, now 2; config\.stages\.0\.rate: there 0\.001"
    ):
        tune(given, tmp_path / "run", other, resume=True)


def test_a_run_directory_in_use_is_not_written_over(given: Inputs, tmp_path: Path) -> None:
    tune(given, tmp_path / "run", FEW)
    with pytest.raises(ConfigError, match="holds a run: go on with --resume"):
        tune(given, tmp_path / "run", FEW)


def test_resuming_where_no_run_is_starts_one(given: Inputs, tmp_path: Path) -> None:
    assert tune(given, tmp_path / "run", FEW, resume=True).steps == 2


def test_a_run_killed_before_its_first_checkpoint_starts_anew_on_resume(
    given: Inputs, tmp_path: Path
) -> None:
    whole = tune(given, tmp_path / "run", FEW)
    shutil.rmtree(tmp_path / "run" / "step-2")
    assert tune(given, tmp_path / "run", FEW, resume=True) == whole
    assert [line["step"] for line in lines(tmp_path / "run")] == [0, 1, 2]


def full(_directory: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def writes(text: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / "model").write_text(text)

    return write


def test_a_full_disk_leaves_the_last_checkpoint_and_the_best_intact(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, keep_last=1)
    run.save(6, writes("six"))
    run.save_best(writes("best of six"))

    def half(directory: Path) -> None:
        writes("half of twelve")(directory)
        full(directory)

    with pytest.raises(StoreFull, match=r"step-12: .*No space left on device.*intact"):
        run.save(12, half)
    with pytest.raises(StoreFull, match="best: "):
        run.save_best(half)
    assert [path.name for path in run.checkpoints()] == ["step-6"]
    assert (tmp_path / "best" / "model").read_text() == "best of six"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-6"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    with writing.replacing(tmp_path / "best") as partial:
        writes("old")(partial)
    (tmp_path / "best").rename(tmp_path / ".best.before")
    writing.recover(tmp_path / "best")
    assert (tmp_path / "best" / "model").read_text() == "old"


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, keep_last=2)
    for step in (5, 10, 15):
        run.save(step, writes(str(step)))
    assert [path.name for path in run.checkpoints()] == ["step-10", "step-15"]


def test_metrics_after_the_checkpoint_are_forgotten_and_a_torn_last_line_too(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for step in (1, 2, 3):
        run.append({"step": step})
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 4, "lo')
    run.rewind(2)
    assert run.metrics() == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sead=3", "--set sead: no such setting; there are .*seed"),
        ("seed=x", "--set seed=x: must be int"),
        ("stages.3.rate=1", "the stages are 0 to 0"),
        ("optimizer=sgd", "must be 'adamw' or 'muon'"),
        ("seed", "give name=value"),
    ],
)
def test_an_override_that_cannot_be_is_named(change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        override(SftConfig(), [change])


def test_overrides_reach_the_run_and_one_stage_or_all() -> None:
    two = SftConfig(stages=(SftStage(), SftStage()))
    changed = override(
        two, ["seed=7", "stages.rate=1", "stages.1.epochs=3", "max_examples=null", "bf16=true"]
    )
    assert (changed.seed, changed.bf16, changed.max_examples) == (7, True, None)
    assert [(stage.rate, stage.epochs) for stage in changed.stages] == [(1.0, 1), (1.0, 3)]


def test_an_unknown_rule_for_soft_labels_lists_those_that_exist(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="soft_label 'best': there are judged, grade"):
        tune(given, tmp_path / "run", replace(SMALL, soft_label="best"))


@pytest.mark.parametrize("change", ["batch_tokens=0", "patience=-1", "clip=0", "stages.epochs=0"])
def test_numbers_that_no_run_can_work_with_are_named(given: Inputs, tmp_path: Path, change: str) -> None:
    with pytest.raises(
        ConfigError, match=f"{change.split('=', maxsplit=1)[0].rsplit('.', maxsplit=1)[-1]} must be positive"
    ):
        tune(given, tmp_path / "run", override(SMALL, [change]))


def test_sharding_one_process_and_an_unknown_device_are_refused() -> None:
    with pytest.raises(ConfigError, match="sharding needs several processes"):
        open_machine("cpu", {}, shard=True)
    with pytest.raises(ConfigError, match="give auto, cpu, cuda"):
        open_machine("abacus", {})


def test_a_model_that_names_no_end_token_cannot_learn_rationales(given: Inputs, tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "model", load_tokenizer(given.model))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "eos_token_id": None}))
    with pytest.raises(ConfigError, match="names no eos_token_id"):
        tune(
            replace(given, model=model),
            tmp_path / "run",
            replace(SMALL, stages=(SftStage(objective="rationales"),)),
        )


def test_a_model_from_scratch_has_the_directorys_shape_and_writes_nothing_into_its_stream(
    given: Inputs,
) -> None:
    model = open_model(given.model, from_scratch=True, seed=3)
    assert model.config.hidden_size == 32
    assert all(not layer.mlp.down_proj.weight.any() for layer in model.model.layers)
