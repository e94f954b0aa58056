"""Compile one build of the C++ kernels; the library's name says which build of which sources it is."""

from __future__ import annotations

import functools
import hashlib
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from models.engine.native.variants import COMMON, Build
from models.writing import replacing_file

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent
PACKAGED = SOURCES / "built"
"""Folder of the libraries that the project's wheel brings."""

SEAL = 32
"""Bytes after a library: the SHA-256 of what is before them."""


class NoKernels(Exception):
    """The kernels cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Compilers, the first of which on the PATH is used, and options beside those of the build."""

    compilers: tuple[str, ...] = ("c++", "g++", "clang++")
    options: tuple[str, ...] = COMMON


def library_name(build: Build, options: tuple[str, ...] = COMMON) -> str:
    """Return the file name of a build: other sources or options have another name.

    What the processor that compiles can do is no part of it, because the build's options alone say what the code needs.
    """
    digest = hashlib.sha256(b"\0".join([*_sources(), " ".join((*options, *build.options)).encode()]))
    return f"kernels-{build.name}-{digest.hexdigest()[:16]}.so"


def compiled(build: Build, into: Path, toolchain: Toolchain) -> Path:
    """Return the library's path in the folder `into`; compile it if it is not there whole. Raises NoKernels."""
    path = into / library_name(build, toolchain.options)
    if not is_whole(path):
        _compile(compiler_of(toolchain), build, toolchain.options, path)
    return path


def is_whole(path: Path) -> bool:
    """Whether a library is there as it was compiled; loading one that is cut off would end the process."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-SEAL]).digest() == content[-SEAL:]


@functools.cache
def _sources() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in (*sorted(SOURCES.glob("*.h")), *sorted(SOURCES.glob("*.cpp"))))


def compiler_of(toolchain: Toolchain) -> str:
    """Return the compiler's path. Raises NoKernels."""
    found = next(filter(None, map(shutil.which, toolchain.compilers)), None)
    if found is None:
        raise NoKernels(
            f"no C++ compiler found ({', '.join(toolchain.compilers)}): apt-get install g++, "
            "or install this project's wheel, which brings the kernels"
        )
    return found


def _compile(compiler: str, build: Build, options: tuple[str, ...], path: Path) -> None:
    """Compile to `path`; processes that start together each compile, and none loads half a library."""
    log.info("compiling the scoring kernels %s", build.name)
    with replacing_file(path, concurrent=True) as partial:
        command = [compiler, *options, *build.options, f'-DNEARLINE_BUILD="{build.name}"']
        command += [str(SOURCES / "forward.cpp"), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoKernels(f"{compiler} failed: {done.stderr.strip()[-500:]}")
        content = partial.read_bytes()
        partial.write_bytes(content + hashlib.sha256(content).digest())
