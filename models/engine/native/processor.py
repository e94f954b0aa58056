"""What the processor is and can do, as /proc/cpuinfo tells it."""

from __future__ import annotations

import functools
import platform
from pathlib import Path


def machine() -> str:
    """Return the architecture, `x86_64` or `aarch64` or another."""
    return platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return the CPU's features as /proc/cpuinfo names them; empty where there is no such file."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def cpu_vendor() -> str:
    """Return `GenuineIntel`, `AuthenticAMD` or the like; empty where it is unknown."""
    return _cpuinfo("vendor_id")


@functools.cache
def _cpuinfo(wanted: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in found if name.strip() == wanted), "")
