from dataclasses import replace
from pathlib import Path

import pytest

from models.engine.native.build import Toolchain, is_whole, library_name
from models.engine.native.packaging import can_package, package
from models.engine.native.processor import machine
from models.engine.native.variants import BUILDS
from tests.support.kernels import NATIVE

NONE = Toolchain(compilers=("no-such-compiler",))


def test_a_wheel_holds_the_builds_that_the_compiler_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not NATIVE:
        pytest.skip("this machine has no C++ compiler")
    known = next(build for build in reversed(BUILDS) if build.machine == machine())
    plain = replace(known, name="plain", options=(*known.options, "-O0"))
    unknown = replace(plain, name="unknown", options=("--no-such-option",))
    (path,) = package(tmp_path, machine(), Toolchain(), [unknown, plain])
    assert path == tmp_path / library_name(plain)
    assert is_whole(path)
    assert "without the kernels unknown" in caplog.text


def test_a_wheel_of_another_architecture_holds_none_of_ours(tmp_path: Path) -> None:
    assert package(tmp_path, "riscv64", Toolchain()) == []


def test_a_wheel_is_built_without_a_compiler(tmp_path: Path) -> None:
    assert not can_package(NONE)
    assert package(tmp_path, machine(), NONE) == []
    assert list(tmp_path.iterdir()) == []
