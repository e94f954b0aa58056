"""Compile the kernels into a package: every build of an architecture, so that the wheel needs no compiler later."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from models.engine.native.build import NoKernels, Toolchain, compiled, compiler_of
from models.engine.native.variants import BUILDS, Build

log = logging.getLogger(__name__)


def can_package(toolchain: Toolchain) -> bool:
    """Whether there is a compiler."""
    try:
        compiler_of(toolchain)
    except NoKernels:
        return False
    return True


def package(into: Path, machine: str, toolchain: Toolchain, builds: Iterable[Build] = BUILDS) -> list[Path]:
    """Compile the builds of an architecture into a folder; builds that the compiler does not know are left out."""
    return list(_compiled(into, [build for build in builds if build.machine == machine], toolchain))


def _compiled(into: Path, builds: Iterable[Build], toolchain: Toolchain) -> Iterator[Path]:
    for build in builds:
        try:
            yield compiled(build, into, toolchain)
        except NoKernels as error:
            log.warning("the wheel goes without the kernels %s: %s", build.name, error)
