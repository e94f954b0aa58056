"""The builds of the kernels: this processor's own, and Arm's under emulation, compiled once a machine."""

import functools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.native.build import Toolchain, compiled
from models.engine.native.kernels import Kernels, Library
from models.engine.native.processor import cpu_flags, machine
from models.engine.native.variants import BUILDS, Build
from tests.support.emulated_kernels import COMPILER, EMULATOR, EmulatedKernels

_WIDE = next(build for build in BUILDS if build.name == "avx512-vnni")
NARROW = replace(_WIDE, name="narrow-vnni", options=(*_WIDE.options, "-DNEARLINE_NARROW"))
"""256 bits with AVX-512's dot products: what `avx2-vnni` computes, on processors that have AVX-512 alone."""
NAMES = [
    build.name if build.machine == machine() else pytest.param(build.name, marks=pytest.mark.arm)
    for build in (*BUILDS, NARROW)
    if build.machine in (machine(), "aarch64")
]
NATIVE = any(map(shutil.which, Toolchain().compilers))


def build_of(name: str) -> Build:
    return next(build for build in (*BUILDS, NARROW) if build.name == name)


@functools.cache
def kernels_of(name: str) -> Kernels:
    """Skips the test where the machine cannot compile or run the build."""
    if build_of(name).machine != machine():
        return _emulated(name)
    if not build_of(name).needs <= cpu_flags():
        pytest.skip(f"this machine's processor cannot run {name}")
    return Library(library_of(name), name)


def _emulated(name: str) -> Kernels:
    for tool, package in ((COMPILER, "g++-aarch64-linux-gnu"), (EMULATOR, "qemu-user")):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here: apt-get install {package}")
    return EmulatedKernels(build_of(name), KERNEL_CACHE.expanduser())


def library_of(name: str) -> Path:
    """Skips the test where the machine cannot compile the build."""
    build = build_of(name)
    if build.machine != machine() or not NATIVE:
        pytest.skip(f"this machine has no compiler of {name}")
    return compiled(build, KERNEL_CACHE.expanduser(), Toolchain())
