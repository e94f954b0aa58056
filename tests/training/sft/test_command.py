"""`nearline train sft` from files to a checkpoint: exit status, files, SIGTERM, a full disk, two processes."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from models.engine.checkpoint import load_checkpoint
from nearline.cli.app import app
from schemas.errors import ConfigError
from tests.training.sft.commands import HUNG_S, command, run, start
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
    steps = ("--set", "stages.max_steps=14", "--set", "stages.epochs=20")
    whole = run(
        command(given, tmp_path / "whole", *steps, "--best-to", str(tmp_path / "given")), tmp_path / "1"
    )
    assert whole.ended() == 0, whole.stderr
    assert json.loads(whole.stdout)["steps"] == 14
    assert load_checkpoint(tmp_path / "given", "ranker").name == "ranker@whole-14"
    process = start(command(given, tmp_path / "cut", *steps), tmp_path / "2")
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + HUNG_S
    while not (metrics.exists() and metrics.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    assert process.ended() == 128 + signal.SIGTERM, process.stderr
    assert "--resume goes on" in process.stderr
    assert 0 < len(losses(tmp_path / "cut")) < 14
    again = run(command(given, tmp_path / "cut", *steps, "--resume"), tmp_path / "3")
    assert again.ended() == 0, again.stderr
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.integration
@pytest.mark.timeout(3 * HUNG_S)
def test_a_write_that_finds_no_room_ends_the_run_with_its_last_checkpoint_whole(
    given: Inputs, tmp_path: Path
) -> None:
    first = run(command(given, tmp_path / "run", "--set", "stages.max_steps=4"), tmp_path / "1")
    assert first.ended() == 0, first.stderr
    size = (tmp_path / "run" / "step-4" / "model.safetensors").stat().st_size
    small_disk = size // 2
    arguments = command(given, tmp_path / "full", "--set", "stages.max_steps=4")
    full = run(arguments, tmp_path / "2", largest_file=small_disk)
    assert full.ended() == 1
    assert "cannot write" in full.stderr
    assert "Traceback" not in full.stderr
    assert RunDirectory(tmp_path / "full").checkpoints() == []
    assert not any(path.name.endswith(".partial") for path in (tmp_path / "full").iterdir())
    assert len(lines(tmp_path / "full")) >= 1


@pytest.mark.integration
@pytest.mark.timeout(5 * HUNG_S)
@pytest.mark.parametrize("shard", [(), ("--shard",)])
def test_two_processes_compute_the_losses_of_one_and_resume(
    given: Inputs, tmp_path: Path, shard: tuple[str, ...]
) -> None:
    settings = (
        "optimizer=adamw",
        "accumulation=3",
        "stages.max_steps=6",
        "save_every_steps=4",
        "keep_last=5",
    )
    more = [*(part for setting in settings for part in ("--set", setting))]
    alone, both = tmp_path / "alone", tmp_path / "both"
    one = run(command(given, alone, *more), tmp_path / "1")
    assert one.ended() == 0, one.stderr
    run_in_two(command(given, both, *more, *shard), tmp_path / "2")
    undisturbed = losses(both)
    assert undisturbed == pytest.approx(losses(alone), rel=1e-4)
    shutil.rmtree(both / "step-6")
    run_in_two(command(given, both, *more, *shard, "--resume"), tmp_path / "3")
    assert losses(both) == undisturbed


@pytest.mark.integration
@pytest.mark.timeout(2 * HUNG_S)
def test_torchrun_starts_the_processes(given: Inputs, tmp_path: Path) -> None:
    arguments = command(given, tmp_path / "run", "--set", "stages.max_steps=2")
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # The module by its name: the tests do not ask that the package is installed.
    ended = subprocess.run(
        [*launched, "-m", "nearline", *arguments], capture_output=True, text=True, timeout=HUNG_S, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert len(losses(tmp_path / "run")) == 2


def test_a_judged_file_that_lacks_a_column_is_named(given: Inputs, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(given.judged).drop_columns(["soft_label"])
    pyarrow.parquet.write_table(table, tmp_path / "judged.parquet")
    damaged = replace(given, judged=tmp_path / "judged.parquet")
    found = CliRunner().invoke(app, command(damaged, tmp_path / "run"))
    assert isinstance(found.exception, ConfigError)
    assert "column soft_label is missing" in str(found.exception)


def test_both_stages_run_from_files_and_the_best_model_is_put_where_asked(
    given: Inputs, tmp_path: Path
) -> None:
    graded = write_rated(tmp_path / "rated.parquet")
    stages = ("--recipe", "sft_qwen3_0_6b", "--set", "stages.max_steps=2", "--set", "bf16=false")
    more = (*stages, "--best-to", str(tmp_path / "ranker"))
    found = CliRunner().invoke(app, command(replace(given, judged=graded), tmp_path / "run", *more))
    assert found.exit_code == 0, found.output
    assert [line["stage"] for line in lines(tmp_path / "run")] == [0, 0, 0, 1, 1]
    assert load_checkpoint(tmp_path / "ranker", "ranker").name == "ranker@run-4"


def test_the_recipes_are_shown_with_what_differs_from_the_defaults() -> None:
    shown = CliRunner().invoke(app, ["train", "recipes"]).output
    assert all(f"{name}  " in shown for name in RECIPES)
    assert "PruneMlp" in shown
    assert "max_examples=200000" in shown


def run_in_two(arguments: list[str], printed: Path) -> None:
    """Run one command in two processes, told of each other as `torchrun` tells them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    both = [
        start(arguments, printed / rank, environment={**group, "RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    assert [started.ended() for started in both] == [0, 0], both[0].stderr + both[1].stderr


def write_rated(path: Path) -> Path:
    """Judgements with the grades that the shipped policy asks for."""
    policy = load_policy()
    rated = [replace(j, grades=dict.fromkeys(policy.keys, j.label)) for j in judgements()]
    write_judgements(path, rated)
    return path
