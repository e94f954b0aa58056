"""`nearline train sft` from files to a checkpoint, as a process: exit status, files, SIGTERM and a full disk."""

import json
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from models.engine.checkpoint import load_checkpoint
from nearline.cli.app import app
from schemas.errors import ConfigError
from tests.training.sft.commands import HUNG_S, command, run
from tests.training.sft.world import judgements, lines, losses, world
from training.components.run_directory import RunDirectory
from training.judging.policy import load_policy
from training.judging.table import write_judgements
from training.recipes import RECIPES
from training.sft.run import Inputs


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    inputs = world(tmp_path_factory.mktemp("command"))
    write_judgements(inputs.judged, judgements())
    return inputs


@pytest.mark.integration
@pytest.mark.timeout(3 * HUNG_S)
def test_sigterm_saves_and_resuming_ends_with_the_losses_of_an_undisturbed_run(
    given: Inputs, tmp_path: Path
) -> None:
    steps = ("--set", "stages.max_steps=30", "--set", "stages.epochs=20")
    whole = run(command(given, tmp_path / "whole", *steps, "--best-to", str(tmp_path / "given")))
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["steps"] == 30
    assert load_checkpoint(tmp_path / "given", "ranker").name == "ranker@whole-30"
    process = subprocess.Popen(
        command(given, tmp_path / "cut", *steps), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + HUNG_S
    while not (metrics.exists() and metrics.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=HUNG_S)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert b"--resume goes on" in said
    assert 0 < len(losses(tmp_path / "cut")) < 30
    again = run(command(given, tmp_path / "cut", *steps, "--resume"))
    assert again.returncode == 0, again.stderr
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.integration
@pytest.mark.timeout(3 * HUNG_S)
def test_a_write_that_finds_no_room_ends_the_run_with_its_last_checkpoint_whole(
    given: Inputs, tmp_path: Path
) -> None:
    first = run(command(given, tmp_path / "run", "--set", "stages.max_steps=4"))
    assert first.returncode == 0, first.stderr
    size = (tmp_path / "run" / "step-4" / "model.safetensors").stat().st_size

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    full = run(command(given, tmp_path / "full", "--set", "stages.max_steps=4"), preexec_fn=small_disk)
    assert full.returncode == 1
    assert "cannot write" in full.stderr
    assert "Traceback" not in full.stderr
    assert RunDirectory(tmp_path / "full").checkpoints() == []
    assert not any(path.name.endswith(".partial") for path in (tmp_path / "full").iterdir())
    assert len(lines(tmp_path / "full")) >= 1


def test_a_judged_file_that_lacks_a_column_is_named(given: Inputs, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(given.judged).drop_columns(["soft_label"])
    pyarrow.parquet.write_table(table, tmp_path / "judged.parquet")
    damaged = replace(given, judged=tmp_path / "judged.parquet")
    found = CliRunner().invoke(app, command(damaged, tmp_path / "run")[3:])
    assert isinstance(found.exception, ConfigError)
    assert "column soft_label is missing" in str(found.exception)


def test_both_stages_run_from_files_and_the_best_model_is_put_where_asked(
    given: Inputs, tmp_path: Path
) -> None:
    graded = write_rated(tmp_path / "rated.parquet")
    stages = ("--recipe", "sft_qwen3_0_6b", "--set", "stages.max_steps=2", "--set", "bf16=false")
    more = (*stages, "--best-to", str(tmp_path / "ranker"))
    found = CliRunner().invoke(app, command(replace(given, judged=graded), tmp_path / "run", *more)[3:])
    assert found.exit_code == 0, found.output
    assert [line["stage"] for line in lines(tmp_path / "run")] == [0, 0, 0, 1, 1]
    assert load_checkpoint(tmp_path / "ranker", "ranker").name == "ranker@run-4"


def test_the_recipes_are_shown_with_what_differs_from_the_defaults() -> None:
    shown = CliRunner().invoke(app, ["train", "recipes"]).output
    assert all(f"{name}  " in shown for name in RECIPES)
    assert "PruneMlp" in shown
    assert "max_examples=200000" in shown


def write_rated(path: Path) -> Path:
    """Judgements with the grades that the shipped policy asks for."""
    policy = load_policy()
    rated = [replace(j, grades=dict.fromkeys(policy.keys, j.label)) for j in judgements()]
    write_judgements(path, rated)
    return path
