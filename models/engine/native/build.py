"""Compiles the kernels for this machine, once: `load_kernels()` is quick when it was done before."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
COMPILERS = ("c++", "g++", "clang++")
NEEDED = "avx512f"


class NoKernels(Exception):  # noqa: N818
    """This machine cannot have them; the message says why."""


@functools.cache
def load_kernels() -> ctypes.CDLL | None:
    """The library, or None (logged once) where the CPU or the compiler is missing: torch's kernels take its place."""
    try:
        return ctypes.CDLL(str(build(cache_directory())))
    except (NoKernels, OSError) as error:
        log.warning("scoring runs on torch's kernels, which are slower: %s", error)
        return None


def cache_directory() -> Path:
    """Where compiled kernels are kept: NEARLINE_CACHE, else nearline/ in the user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NEARLINE_CACHE") or Path(home) / "nearline")


def build(into: Path) -> Path:
    """The library's path, compiled if `into` has none of these sources for this CPU and compiler; raises NoKernels."""
    flags = cpu_flags()
    if NEEDED not in flags:
        msg = f"the CPU has no {NEEDED}"
        raise NoKernels(msg)
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        msg = f"no C++ compiler found ({', '.join(COMPILERS)})"
        raise NoKernels(msg)
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    path = into / f"kernels-{_digest(version, repr(sorted(flags)).encode())}.so"
    if not path.exists():
        _compile(compiler, path)
    return path


def cpu_flags() -> frozenset[str]:
    """What the CPU can do, in the kernel's words; empty where the kernel does not tell."""
    return frozenset(_cpuinfo("flags").split())


def cpu_vendor() -> str:
    """`GenuineIntel`, `AuthenticAMD`, or nothing."""
    return _cpuinfo("vendor_id")


@functools.cache
def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in found if name.strip() == field), "")


def _digest(*parts: bytes) -> str:
    sources = [path.read_bytes() for path in sorted(SOURCES.glob("*.h")) + sorted(SOURCES.glob("*.cpp"))]
    return hashlib.sha256(b"\0".join([*sources, *parts, " ".join(FLAGS).encode()])).hexdigest()[:16]


def _compile(compiler: str, path: Path) -> None:
    """Into a file of its own, then renamed: processes that start together do not meet half a library."""
    log.info("compiling the scoring kernels for this CPU")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        out = Path(directory) / path.name
        command = [compiler, *FLAGS, str(SOURCES / "forward.cpp"), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            msg = f"{compiler} failed: {done.stderr.strip()[-500:]}"
            raise NoKernels(msg)
        out.replace(path)
