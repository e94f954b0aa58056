"""Which of the scoring kernels run, from the environment; imports nothing heavy, because entry points read it first."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import ConfigError

AUTO = "auto"
"""The best variant that the processor can run."""
TORCH = "torch"
"""None of them: torch computes."""
VARIANTS = ("avx512", "avx2", "neon")
VARIABLE = "NEARLINE_KERNELS"


def kernel_choice(environ: Mapping[str, str]) -> str:
    """Return the variant that NEARLINE_KERNELS names, `auto` without one; ConfigError for another word."""
    named = environ.get(VARIABLE) or AUTO
    if named not in (AUTO, TORCH, *VARIANTS):
        raise ConfigError(
            f"{VARIABLE} {named!r:.40} is unknown: use one of {', '.join(VARIANTS)}, {TORCH}, {AUTO}"
        )
    return named
