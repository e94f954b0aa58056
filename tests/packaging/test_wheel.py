"""What a built wheel holds, without the checkpoints' weights, with kernels of a stand-in for the compiler."""

import hashlib
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from models.engine.native.build import library_name
from models.engine.native.processor import machine
from models.engine.native.variants import BUILDS
from nearline.roots import ROOTS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.safetensors")
#: SHA-256 of the text that the Apache Software Foundation publishes.
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


COMPILER = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo compiled > "$2"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that setuptools builds from a copy of this tree."""
    source, tools = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("tools")
    (tools / "c++").write_text(COMPILER)
    (tools / "c++").chmod(0o755)
    for name in ("pyproject.toml", "setup.py", PROJECT["readme"], *PROJECT["license-files"]):
        shutil.copy(ROOT / name, source)
    for package in ROOTS:
        shutil.copytree(ROOT / package, source / package, ignore=LEFT_OUT)
    code = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    env = {"PATH": f"{tools}:/bin"}
    subprocess.run([sys.executable, "-c", code], cwd=source, env=env, capture_output=True, check=True)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    """Names of the files in the wheel."""
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def held(wheel: set[str], wanted: Callable[[str], bool]) -> list[str]:
    return sorted(name for name in wheel if wanted(name))


def test_the_wheel_holds_the_licence_and_the_notice(wheel: set[str]) -> None:
    licences = held(wheel, lambda name: ".dist-info/licenses/" in name)
    assert [Path(name).name for name in licences] == ["LICENSE", "NOTICE"]


def test_the_wheel_is_of_this_architecture_and_holds_each_of_its_kernels(
    built: Path, wheel: set[str]
) -> None:
    kernels = [library_name(build) for build in BUILDS if build.machine == machine()]
    assert held(wheel, lambda name: name.endswith(".so")) == sorted(
        f"models/engine/native/built/{name}" for name in kernels
    )
    assert built.name.endswith(f"-linux_{machine()}.whl")


def test_the_licence_is_the_standard_text() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0


def test_every_package_of_the_wheel_says_that_it_is_typed(wheel: set[str]) -> None:
    assert held(wheel, lambda name: name.endswith("py.typed")) == sorted(f"{name}/py.typed" for name in ROOTS)


def test_the_wheel_holds_every_committed_file_of_the_packages(wheel: set[str]) -> None:
    listing = subprocess.run(
        ["git", "ls-files", *ROOTS], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "models/py.typed" in listing
    assert {name for name in listing if not name.endswith(".safetensors")} - wheel == set()


def test_an_image_gets_every_file_that_the_build_needs() -> None:
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    needed = ["pyproject.toml", "setup.py", PROJECT["readme"], *PROJECT["license-files"], *ROOTS]
    assert [name for name in needed if f"!{name}" not in kept] == []
