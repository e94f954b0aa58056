"""Compiles the kernels for this machine, once: `load_kernels()` is quick when it was done before."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.writing import replacing_file
from schemas.errors import NearlineError

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent
NEEDED = "avx512f"


class NoKernels(Exception):
    """This machine cannot have them; the message says why."""


def cpu_flags() -> frozenset[str]:
    """What the CPU can do, in the kernel's words; empty where the kernel does not tell."""
    return frozenset(_cpuinfo("flags").split())


def cpu_vendor() -> str:
    """`GenuineIntel`, `AuthenticAMD`, or nothing."""
    return _cpuinfo("vendor_id")


@functools.cache
def _cpuinfo(wanted: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in found if name.strip() == wanted), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """What compiles the kernels, and the CPU that they are compiled for."""

    compilers: tuple[str, ...] = ("c++", "g++", "clang++")
    """Tried in this order; the first one on the PATH is taken."""
    options: tuple[str, ...] = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
    cpu: frozenset[str] = field(default_factory=cpu_flags)


Loader = Callable[[], ctypes.CDLL | None]


@functools.cache
def load_kernels() -> ctypes.CDLL | None:
    """The library for this machine, loaded once a process; None where it cannot be built."""
    return open_library(cache_directory(), Toolchain())


def open_library(into: Path, toolchain: Toolchain) -> ctypes.CDLL | None:
    """The library, or None (logged) where the CPU or the compiler is missing: torch's kernels take its place."""
    try:
        return ctypes.CDLL(str(build(into, toolchain)))
    except (NoKernels, NearlineError, OSError) as error:
        log.warning("scoring runs on torch's kernels, which are slower: %s", error)
        return None


def cache_directory() -> Path:
    """Where compiled kernels are kept: NEARLINE_CACHE, else nearline/ in the user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NEARLINE_CACHE") or Path(home) / "nearline")


def build(into: Path, toolchain: Toolchain) -> Path:
    """The library's path, compiled if `into` has none of these sources for this toolchain; raises NoKernels."""
    if NEEDED not in toolchain.cpu:
        raise NoKernels(f"the CPU has no {NEEDED}")
    compiler = next(filter(None, map(shutil.which, toolchain.compilers)), None)
    if compiler is None:
        raise NoKernels(f"no C++ compiler found ({', '.join(toolchain.compilers)})")
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    digest = _digest(version, repr(sorted(toolchain.cpu)).encode(), " ".join(toolchain.options).encode())
    path = into / f"kernels-{digest}.so"
    if not path.exists():
        _compile([compiler, *toolchain.options], path)
    return path


def _digest(*parts: bytes) -> str:
    sources = [path.read_bytes() for path in sorted(SOURCES.glob("*.h")) + sorted(SOURCES.glob("*.cpp"))]
    return hashlib.sha256(b"\0".join([*sources, *parts])).hexdigest()[:16]


def _compile(compiler: list[str], path: Path) -> None:
    """Compile to `path`; processes that start together each compile, and none loads half a library."""
    log.info("compiling the scoring kernels for this CPU")
    with replacing_file(path, concurrent=True) as partial:
        command = [*compiler, str(SOURCES / "forward.cpp"), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoKernels(f"{compiler[0]} failed: {done.stderr.strip()[-500:]}")
