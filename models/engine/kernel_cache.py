"""Where the compiled C++ kernels are kept; imports nothing heavy, because entry points read it first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

KERNEL_CACHE = Path("~/.cache/nearline")


def kernel_cache(environ: Mapping[str, str]) -> Path:
    """Return the folder: NEARLINE_CACHE, else nearline/ in XDG_CACHE_HOME, else KERNEL_CACHE."""
    named, home = environ.get("NEARLINE_CACHE"), environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    return Path(home) / "nearline" if home else KERNEL_CACHE
