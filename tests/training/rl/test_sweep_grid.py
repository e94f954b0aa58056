"""The grid of a sweep from options, from a file or from the paper; what cannot be is refused by name."""

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from training.rl.config import RlConfig
from training.rl.sweep.grid import AXES, Grid, read_grid

NONE: dict[str, str | None] = dict.fromkeys(AXES)


def names(grid: Grid) -> list[str]:
    return [point.name for point in grid.points]


def test_options_make_every_combination_and_each_seed_comes_after_the_one_before() -> None:
    grid = read_grid("", NONE | {"algorithms": "grpo, gspo", "weights": "0.1,1", "seeds": "1,2"})
    assert names(grid)[:5] == [
        "grpo-p2-w0.1-seed1", "grpo-p2-w1-seed1", "gspo-p2-w0.1-seed1", "gspo-p2-w1-seed1", "grpo-p2-w0.1-seed2",
    ]  # fmt: skip
    assert len(grid.points) == 8
    config = grid.points[-1].config(RlConfig(steps=7))
    assert (config.algorithm, config.reward.w, config.seed, config.steps) == ("gspo", 1.0, 2, 7)


def test_without_options_there_is_one_run() -> None:
    assert names(read_grid("", NONE)) == ["dr_grpo-p2-w0.4-seed1"]


def test_the_papers_grid_has_the_rows_of_its_table_5() -> None:
    grid = read_grid("paper", NONE | {"seeds": "3"})
    assert len(grid.points) == 13
    assert {"grpo-p1-w0-seed3", "dr_grpo-p1-w10-seed3", "gspo-p2-w0.4-seed3"} <= set(names(grid))


def test_a_file_has_lists_or_rows(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text('algorithms = ["gspo"]\nweights = [0.3, 0.4]\nseeds = [1]\n')
    assert names(read_grid(str(file), NONE)) == ["gspo-p2-w0.3-seed1", "gspo-p2-w0.4-seed1"]
    file.write_text('[[rows]]\nalgorithm = "grpo"\npenalty = "p1"\nw = 0\n')
    assert names(read_grid(str(file), NONE | {"seeds": "4"})) == ["grpo-p1-w0-seed4"]


@pytest.mark.parametrize(
    ("text", "axes", "said"),
    [
        ("", {"algorithms": "ppo"}, "algorithm 'ppo': there are grpo, dr_grpo, gspo"),
        ("", {"penalties": "p3"}, "penalty 'p3': there are p1, p2"),
        ("", {"weights": "heavy"}, "w 'heavy': give a number"),
        ("", {"weights": "-1"}, "w must be a number that is not negative"),
        ("", {"weights": "nan"}, "w must be a number that is not negative"),
        ("", {"seeds": "1.5"}, "seed '1.5': give a whole number"),
        ("", {"seeds": "1,1"}, "has dr_grpo-p2-w0.4-seed1 twice"),
        ("", {"weights": ","}, "the grid is empty"),
        ("seeds = [1]", {"seeds": "2"}, "--seeds and --grid"),
        ('[[rows]]\nalgorithm = "grpo"\npenalty = "p1"\nw = 0', {"weights": "1"}, "--weights and --grid"),
        ('[[rows]]\nalgorithm = "grpo"\npenalty = "p1"\nweight = 0', {}, "give algorithm, penalty and w"),
        ("shares = [1]", {}, "shares: give lists named"),
        ("seeds = 1", {}, "a value that is no list"),
        ("seeds = [", {}, "nor a readable TOML file"),
        ('weights = [1]\n[[rows]]\nalgorithm = "grpo"\npenalty = "p1"\nw = 0', {}, "give one of the two"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_by_name(
    tmp_path: Path, text: str, axes: dict[str, str], said: str
) -> None:
    file = tmp_path / "grid.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_grid(str(file) if text else "", NONE | axes)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--grid none\.toml: neither 'paper' nor"):
        read_grid("none.toml", NONE)
