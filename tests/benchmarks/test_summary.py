"""docs/benchmarks/README.md: its figures are those of the JSON files, and it tells of every benchmark."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.summary import BEGIN, END, PAGE, figures, renewed

ROOT = PAGE.parents[2]
README = PAGE.read_text()
APART = {"engine", "ranker"}


def folder(path: Path, *findings: str) -> Path:
    where = {"date": "2026-01-02", "commit": "abc", "cores": 2, "processor": "P"}
    result = {"name": "stores", "measured_on": where, "findings": list(findings)}
    (path / "stores.json").write_text(json.dumps(result))
    return path


def test_the_pages_figures_are_those_of_the_json() -> None:
    assert renewed(README, PAGE.parent) == README, (
        "docs/benchmarks/README.md is out of date: run make bench-figures"
    )


def test_another_finding_makes_another_page(tmp_path: Path) -> None:
    assert renewed(README, folder(tmp_path, "LMDB: 1 ms.")) != README


def test_a_row_tells_finding_date_and_commit_and_the_list_the_machine(tmp_path: Path) -> None:
    text = figures(folder(tmp_path, "LMDB: 1 ms.", "a|b: 2 ms."))
    assert "| [stores](stores.md) | LMDB: 1 ms | 2026-01-02, abc |" in text
    assert "|  | a\\|b: 2 ms |  |" in text
    assert "- 2 cores of P: stores" in text


def test_what_stands_around_the_figures_stays(tmp_path: Path) -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    made = renewed(page, folder(tmp_path, "new."))
    assert made.startswith(f"before\n{BEGIN}\n")
    assert made.endswith(f"{END}\nafter\n")
    assert "old" not in made
    assert renewed(made, tmp_path) == made


def test_a_page_without_markers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="lacks the lines"):
        renewed("no markers", folder(tmp_path))


def test_every_benchmark_has_its_decision_and_its_method() -> None:
    decided = README.partition("## What was decided\n")[2]
    for page, level in ((decided, "###"), ((PAGE.parent / "methods.md").read_text(), "##")):
        assert set(re.findall(rf"^{level} ([\w-]+)$", page, re.MULTILINE)) == set(BENCHMARKS) | APART


def test_the_page_says_which_benchmarks_one_command_leaves_out() -> None:
    (line,) = [line for line in README.splitlines() if line.startswith("make bench ")]
    assert set(re.findall(r"all but (\w+) and (\w+)", line)[0]) == APART


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmarks_module_measures(name: str) -> None:
    _, module = BENCHMARKS[name]
    source = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text()
    assert re.search(r"^def measure\(settings: \w+, folder: Path", source, re.MULTILINE)
    assert f'NAME = "{name}"' in source
