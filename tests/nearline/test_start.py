"""The command line starts with this project's packages, or says whose it would have started with."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nearline.roots import ROOTS, foreign_packages

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """`python -m nearline --version` in a folder, which comes first on the import path."""
    return subprocess.run(
        [sys.executable, "-m", "nearline", "--version"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("file", ["models/__init__.py", "schemas/__init__.py", "storage.py"])
def test_a_foreign_package_that_comes_first_is_named_with_its_place(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    place = tmp_path / file.removesuffix("/__init__.py")
    done = start(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{place.stem} would come from {place} instead of {ROOT / place.stem}" in done.stderr
    assert "virtual environment of its own" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(60)
def test_the_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    (tmp_path / "unrelated.py").touch()
    done = start(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"nearline {PROJECT['project']['version']}\n"


def test_every_package_of_the_distribution_is_checked() -> None:
    included = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert [f"{name}*" for name in ROOTS] == included


def test_the_packages_of_this_process_are_ours() -> None:
    assert foreign_packages() == {}
    assert foreign_packages(["json"]).keys() == {"json"}
