"""The pages and the Makefile name the same targets."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE))
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")]


def named(text: str) -> set[str]:
    """Targets of `make …` in code: between backticks, or at the start of a line of a block."""
    inline = re.findall(r"`make ([a-z-]+)", text)
    blocks = "\n".join(text.split("```")[1::2])
    return {*inline, *re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE)}


def test_every_target_that_a_page_names_exists() -> None:
    found = {str(page.relative_to(ROOT)): named(page.read_text()) for page in PAGES}
    assert {"demo", "test"} <= found["README.md"]
    assert {page: targets - TARGETS for page, targets in found.items() if targets - TARGETS} == {}


def test_whoever_changes_something_finds_the_targets_for_it() -> None:
    assert {"test", "lint", "unit", "fix", "test-one"} <= named((ROOT / "CONTRIBUTING.md").read_text())


def test_no_target_is_taken_for_a_file_of_its_name() -> None:
    phony = re.search(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


@pytest.mark.parametrize("target", ["fix", "test-one"])
def test_help_lists_a_target(target: str) -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^{target}  +\S", shown, re.MULTILINE)


def test_one_test_without_its_name_asks_for_it() -> None:
    command = ["make", "-o", "setup", "test-one"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make test-one T=tests/models/test_weights.py" in done.stdout
