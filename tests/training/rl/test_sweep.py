"""A sweep of a grid: it goes on where it was stopped with the same results, and refuses another grid or bad input."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from schemas.errors import ConfigError, ModelUnavailable
from tests.training.rl.small_sweep import CONFIG, inputs, small
from tests.training.rl.world import WordScorer
from training.components.arrays import Floats
from training.components.stopping import Stop
from training.evaluation.scorers import Asked
from training.rl.sweep.grid import Grid
from training.rl.sweep.sweeping import sweep


class Stopper:
    """Takes lines of progress, and asks for a stop at the line that has `word`."""

    def __init__(self, word: str = "no such word") -> None:
        self.stop, self.lines, self._word = Stop(), list[str](), word

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if self._word in line:
            self.stop.signal = 15


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Any]:
    """The results of a sweep that nothing stopped."""
    found = sweep(small(folder, "whole"), Stop())
    assert found is not None
    return found


def test_each_run_is_judged_at_each_length_beside_baselines_and_its_start(whole: dict[str, Any]) -> None:
    assert [run["name"] for run in whole["runs"]] == ["dr_grpo-p2-w0.4-seed1", "gspo-p1-w1-seed1"]
    assert all(run["ended"] == "whole" and run["steps"] == 2 for run in whole["runs"])
    found = {(system["name"], system["share"]): system for system in whole["systems"]}
    for name in ("dr_grpo-p2-w0.4", "gspo-p1-w1"):
        for share in (0.3, 0.5):
            system = found[name, share]
            assert system["minus"].keys() == {"none", "lead", "start"}
            assert system["minus_raw"]["queries"] == len(whole["query_ids"]) == 6
            assert 0 < system["kept"] <= 1
        assert found[name, 0.3]["kept"] < found[name, 0.5]["kept"]
    assert found["none", 0.3]["saved_p50"] == found["none", 0.5]["saved_p50"] == 1
    assert {cliff["name"] for cliff in whole["cliffs"]} == {"dr_grpo-p2-w0.4", "gspo-p1-w1", "start"}


@pytest.mark.parametrize("word", ["start: judged at 50%", "seed1: step 1 of 2", "w1-seed1: trained"])
def test_a_sweep_stopped_anywhere_goes_on_to_the_same_results(
    folder: Path, whole: dict[str, Any], word: str
) -> None:
    out, stopper = f"cut {word.replace('/', ' ')}", Stopper(word)
    assert sweep(small(folder, out, say=stopper), stopper.stop) is None
    assert (
        word in stopper.lines[-1]
        or "stopped after step" in stopper.lines[-1]
        or "judged" in stopper.lines[-1]
    )
    found = sweep(small(folder, out), Stop())
    assert found == whole
    assert (folder / out / "results.json").read_text() == (folder / "whole" / "results.json").read_text()


def test_a_finished_sweep_trains_and_judges_nothing_again(folder: Path, whole: dict[str, Any]) -> None:
    class Absent(WordScorer):
        @override
        def differences(self, asked: Sequence[Asked]) -> list[Floats]:
            raise AssertionError("the ranker was asked")

    lines = Stopper()
    assert sweep(small(folder, "whole", lambda _: Absent(), say=lines), Stop()) == whole
    assert lines.lines == []


def test_a_ranker_that_goes_away_ends_the_sweep_and_the_same_command_goes_on(
    folder: Path, whole: dict[str, Any]
) -> None:
    class Dying(WordScorer):
        @override
        def differences(self, asked: Sequence[Asked]) -> list[Floats]:
            if self.calls > 14:
                raise ModelUnavailable("down")
            return super().differences(asked)

    config = replace(
        CONFIG, run=replace(CONFIG.run, reward=replace(CONFIG.run.reward, attempts=1, most_lost=1))
    )
    dying = Dying()
    with pytest.raises(ModelUnavailable):
        sweep(small(folder, "away", lambda _: dying, config=config), Stop())
    found = sweep(small(folder, "away", config=config), Stop())
    assert found is not None
    assert found["systems"] == whole["systems"]


def test_a_directory_of_another_grid_is_refused_by_name(folder: Path, whole: dict[str, Any]) -> None:
    del whole
    other = replace(CONFIG, grid=Grid(rows=CONFIG.grid.rows, seeds=(1, 2)))
    with pytest.raises(ConfigError, match=r"config\.grid\.seeds\.1: there None, now 2"):
        sweep(small(folder, "whole", config=other), Stop())


def test_queries_that_runs_learn_from_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    items = [{"id": f"p{number}", "grade": number % 5} for number in range(60)]
    given.judged.write_text(json.dumps({"query": "nights", "items": items}) + "\n")
    with pytest.raises(ConfigError, match="of companies that runs learn from"):
        sweep(small(tmp_path, "out", given=given), Stop())
    assert not (tmp_path / "out" / "config.json").exists()


def test_the_page_has_both_rankers_and_the_plot(folder: Path, whole: dict[str, Any]) -> None:
    del whole
    page = (folder / "whole" / "frontier.md").read_text()
    assert "| tiny | dr_grpo-p2-w0.4 |" in page
    assert "minus start" in page
    assert "Where the cliff lies" in page
    assert (folder / "whole" / "frontier.png").read_bytes().startswith(b"\x89PNG")
