"""Find the best kernels for this processor: in the package, in the user's cache, or by compiling them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO, TORCH, VARIABLE
from models.engine.native.build import PACKAGED, NoKernels, Toolchain, compiled, is_whole, library_name
from models.engine.native.kernels import Kernels, Library
from models.engine.native.processor import cpu_flags, machine
from models.engine.native.variants import Build, runnable
from schemas.errors import ConfigError, NearlineError

log = logging.getLogger(__name__)

Loader = Callable[[], Kernels | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where libraries come from on a machine: its processor and compilers, and the folder of the wheel's libraries."""

    machine: str = field(default_factory=machine)
    cpu: frozenset[str] = field(default_factory=cpu_flags)
    toolchain: Toolchain = field(default_factory=Toolchain)
    packaged: Path = PACKAGED


@functools.cache
def load_kernels(cache: Path = KERNEL_CACHE, variant: str = AUTO) -> Kernels | None:
    """Return the kernels for this machine, kept in the folder `cache`; None where torch has to replace them.

    ConfigError for a variant that was asked for by name and cannot be had.
    """
    return open_kernels(cache.expanduser(), variant, Site())


def open_kernels(cache: Path, variant: str, site: Site) -> Kernels | None:
    """Return the best kernels that can be had; without any, None and one line in the log.

    ConfigError for a variant that was asked for by name and cannot be had.
    """
    if variant == TORCH:
        return None
    try:
        return _first(cache, variant, site)
    except (NoKernels, NearlineError, OSError) as error:
        if variant != AUTO:
            raise ConfigError(f"{VARIABLE}={variant} cannot be had here: {error}") from error
        log.warning(
            "scoring runs on torch's kernels, at a third to two thirds of the speed and without int8: %s",
            error,
        )
        return None


def _first(cache: Path, variant: str, site: Site) -> Kernels:
    builds = runnable(site.machine, site.cpu, variant)
    if not builds:
        raise NoKernels(_lacking(variant))
    try:
        return _best(builds[0], cache, site)
    except (NoKernels, NearlineError, OSError) as error:
        packaged = _packaged(builds[1:], site)
        if packaged is None:
            raise
        log.warning("scoring runs on the kernels %s instead of %s: %s", packaged.name, builds[0].name, error)
        return packaged


def _best(build: Build, cache: Path, site: Site) -> Kernels:
    brought = _packaged([build], site)
    return brought or Library(compiled(build, cache, site.toolchain), build.name)


def _packaged(builds: Sequence[Build], site: Site) -> Kernels | None:
    """Return the first of the builds that the wheel brought from these sources."""
    for build in builds:
        path = site.packaged / library_name(build)
        if is_whole(path):
            return Library(path, build.name)
    return None


def _lacking(variant: str) -> str:
    wanted = "AVX2 with FMA, AVX-512 or Arm's NEON" if variant == AUTO else f"what {variant} needs"
    return f"the processor has not {wanted}"
