"""The builds of the kernels that this machine can run, compiled once and kept in the user's cache."""

import functools
import shutil
from pathlib import Path

import pytest

from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.native.build import Toolchain, compiled
from models.engine.native.kernels import Kernels, Library
from models.engine.native.processor import cpu_flags, machine
from models.engine.native.variants import BUILDS, Build, runnable

NAMES = [build.name for build in BUILDS if build.machine == machine()]
COMPILER = any(map(shutil.which, Toolchain().compilers))


def build_of(name: str) -> Build:
    return next(build for build in BUILDS if build.name == name)


@functools.cache
def kernels_of(name: str) -> Kernels:
    """Skips the test where the machine cannot compile or run the build."""
    if build_of(name) not in runnable(machine(), cpu_flags()):
        pytest.skip(f"this machine's processor cannot run {name}")
    return Library(library_of(name), name)


def library_of(name: str) -> Path:
    """Skips the test where the machine cannot compile the build."""
    build = build_of(name)
    if build.machine != machine() or not COMPILER:
        pytest.skip(f"this machine has no compiler of {name}")
    return compiled(build, KERNEL_CACHE.expanduser(), Toolchain())
