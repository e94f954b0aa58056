"""`nearline train sft` in two processes: a file of its own, so that its minutes run beside those of other tests."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.training.sft.commands import HUNG_S, command, run
from tests.training.sft.world import judgements, losses, world
from training.judging.table import write_judgements
from training.sft.run import Inputs


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    inputs = world(tmp_path_factory.mktemp("command"))
    write_judgements(inputs.judged, judgements())
    return inputs


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
    one = run(command(given, alone, *more))
    assert one.returncode == 0, one.stderr
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two = [*launched, *command(given, both, *more, *shard)[1:]]
    first = run(two)
    assert first.returncode == 0, first.stderr
    undisturbed = losses(both)
    assert undisturbed == pytest.approx(losses(alone), rel=1e-4)
    shutil.rmtree(both / "step-6")
    again = run([*two, "--resume"])
    assert again.returncode == 0, again.stderr
    assert losses(both) == undisturbed
