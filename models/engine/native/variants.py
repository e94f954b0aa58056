"""The builds of the kernels: what each needs of the processor, and the compiler's options for that and no more.

The first word of a build's name is its variant: `NEARLINE_KERNELS` and users name variants, and the best build of a
variant that the processor can run is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.engine.kernel_choice import AUTO

COMMON = ("-std=c++17", "-O3", "-fopenmp", "-shared", "-fPIC")
_AVX2 = ("-mavx2", "-mfma", "-mf16c")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
_NEEDS_AVX2 = frozenset({"avx2", "fma", "f16c"})
_NEEDS_AVX512 = _NEEDS_AVX2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}


@dataclass(frozen=True, slots=True)
class Build:
    """One way to compile the kernels; `needs` are features as /proc/cpuinfo names them."""

    name: str
    machine: str
    needs: frozenset[str]
    options: tuple[str, ...]

    @property
    def variant(self) -> str:
        """The first word of the name."""
        return self.name.partition("-")[0]


BUILDS = (
    Build(
        "avx512-vnni-bf16",
        "x86_64",
        _NEEDS_AVX512 | {"avx512_vnni", "avx512_bf16"},
        (*_AVX512, "-mavx512vnni", "-mavx512bf16"),
    ),
    Build("avx512-vnni", "x86_64", _NEEDS_AVX512 | {"avx512_vnni"}, (*_AVX512, "-mavx512vnni")),
    Build("avx512", "x86_64", _NEEDS_AVX512, _AVX512),
    Build("avx2-vnni", "x86_64", _NEEDS_AVX2 | {"avx_vnni"}, (*_AVX2, "-mavxvnni")),
    Build("avx2", "x86_64", _NEEDS_AVX2, _AVX2),
    Build("neon-dot", "aarch64", frozenset({"asimd", "asimddp"}), ("-march=armv8.2-a+dotprod",)),
    Build("neon", "aarch64", frozenset({"asimd"}), ("-march=armv8-a",)),
)
"""Best first."""


def runnable(machine: str, flags: frozenset[str], variant: str = AUTO) -> list[Build]:
    """Return the builds that a processor can run, best first; those of one variant, or of all."""
    return [
        build
        for build in BUILDS
        if build.machine == machine and build.needs <= flags and variant in (AUTO, build.variant)
    ]
