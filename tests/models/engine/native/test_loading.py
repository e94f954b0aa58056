import logging
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from models.engine.kernel_choice import AUTO, TORCH, VARIANTS, kernel_choice
from models.engine.native.build import Toolchain, library_name
from models.engine.native.loading import Site, open_kernels
from models.engine.native.processor import cpu_flags, machine
from models.engine.native.variants import BUILDS, Build, runnable
from schemas.errors import ConfigError
from tests.support.kernels import library_of

BARE = Site(toolchain=Toolchain(compilers=("no-such-compiler",)), packaged=Path("/nowhere"))
"""A machine with this processor, without a compiler or the wheel."""
ALL = frozenset.union(*(build.needs for build in BUILDS))


def best() -> Build:
    builds = runnable(machine(), cpu_flags())
    if not builds:
        pytest.skip("the kernels are not for this processor")
    return builds[0]


def cached(build: Build, into: Path) -> Path:
    """The library as an earlier start of this processor would have left it in the cache."""
    return Path(shutil.copy(library_of(build.name), into / library_name(build)))


@pytest.mark.parametrize(
    ("arch", "flags", "name"),
    [
        ("x86_64", ALL, "avx512-vnni-bf16"),
        ("x86_64", ALL - {"avx512_bf16"}, "avx512-vnni"),
        ("x86_64", ALL - {"avx512_vnni"}, "avx512"),
        ("x86_64", ALL - {"avx512bw"}, "avx2-vnni"),
        ("x86_64", ALL - {"avx512f", "avx_vnni"}, "avx2"),
        ("aarch64", ALL, "neon-dot"),
        ("aarch64", ALL - {"asimddp"}, "neon"),
        ("x86_64", ALL - {"fma"}, None),
        ("riscv64", ALL, None),
    ],
)
def test_the_best_build_that_the_processor_can_run_comes_first(
    arch: str, flags: frozenset[str], name: str | None
) -> None:
    assert next((build.name for build in runnable(arch, flags)), None) == name


@pytest.mark.parametrize("name", ["avx2", "avx2-vnni"])
def test_avx2_is_compiled_without_a_register_of_avx512(name: str) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("no objdump here")
    code = subprocess.run(
        ["objdump", "-d", library_of(name)], capture_output=True, text=True, check=True
    ).stdout
    assert "%ymm15" in code
    assert not re.findall(r"%zmm|%[xy]mm(?:1[6-9]|2\d|3[01])|%k[0-7]", code)


def test_a_cache_of_another_processor_is_not_loaded(tmp_path: Path) -> None:
    """A home that two machines share holds kernels that only one of them can run."""
    build = best()
    cached(build, tmp_path)
    weaker = replace(BARE, cpu=cpu_flags() - build.needs | {"avx2", "fma", "f16c", "asimd"})
    assert open_kernels(tmp_path, AUTO, weaker) is None
    found = open_kernels(tmp_path, AUTO, BARE)
    assert found is not None
    assert found.name == build.name


def test_a_cached_library_under_the_name_of_another_build_is_refused_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = next(build for build in BUILDS if build not in runnable(machine(), cpu_flags()))
    site = replace(BARE, machine=other.machine, cpu=other.needs)
    shutil.copy(library_of(best().name), tmp_path / library_name(other))
    assert open_kernels(tmp_path, AUTO, site) is None
    assert f"holds the kernels {best().name}, not {other.name}: delete it" in caplog.text


@pytest.mark.parametrize("size", [0, 1000, -1])
def test_a_library_that_is_cut_off_is_not_loaded(tmp_path: Path, size: int) -> None:
    path = cached(best(), tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    assert open_kernels(tmp_path, AUTO, BARE) is None


def test_the_library_of_the_wheel_is_taken_before_the_cache_and_without_a_compiler(tmp_path: Path) -> None:
    wheel, cache = tmp_path / "wheel", tmp_path / "cache"
    wheel.mkdir()
    cached(best(), wheel)
    found = open_kernels(cache, AUTO, replace(BARE, packaged=wheel))
    assert found is not None
    assert not cache.exists()


def test_a_lesser_library_of_the_wheel_is_better_than_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    builds = runnable(machine(), cpu_flags())
    if len(builds) < 2:
        pytest.skip("this processor runs one build")
    cached(builds[-1], tmp_path)
    found = open_kernels(tmp_path / "cache", AUTO, replace(BARE, packaged=tmp_path))
    assert found is not None
    assert found.name == builds[-1].name
    assert f"on the kernels {found.name} instead of {builds[0].name}" in caplog.text


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (replace(BARE, cpu=frozenset()), "the processor has not AVX2 with FMA, AVX-512 or Arm's NEON"),
        (BARE, "no C++ compiler found (no-such-compiler)"),
        (replace(BARE, toolchain=Toolchain(options=("--no-such-option",))), "failed"),
    ],
    ids=["cpu", "compiler", "option"],
)
def test_what_a_machine_lacks_is_one_line_and_torch_takes_over(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, site: Site, message: str
) -> None:
    best()
    caplog.set_level(logging.WARNING)
    assert open_kernels(tmp_path, AUTO, site) is None
    (record,) = caplog.records
    assert message in record.message
    assert list(tmp_path.iterdir()) == []


def test_a_variant_asked_for_by_name_is_had_or_refused(tmp_path: Path) -> None:
    build = best()
    cached(build, tmp_path)
    found = open_kernels(tmp_path, build.variant, BARE)
    assert found is not None
    assert found.name == build.name
    with pytest.raises(
        ConfigError, match="NEARLINE_KERNELS=avx512 cannot be had here: the processor has not"
    ):
        open_kernels(tmp_path, "avx512", replace(BARE, cpu=frozenset({"avx2", "fma", "f16c"})))
    assert open_kernels(tmp_path, TORCH, BARE) is None


@pytest.mark.parametrize(
    ("environ", "choice"),
    [({}, AUTO), ({"NEARLINE_KERNELS": ""}, AUTO), ({"NEARLINE_KERNELS": "avx2"}, "avx2")],
)
def test_the_environment_names_the_variant(environ: dict[str, str], choice: str) -> None:
    assert kernel_choice(environ) == choice


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ConfigError, match="NEARLINE_KERNELS 'avx' is unknown: use one of avx512, avx2"):
        kernel_choice({"NEARLINE_KERNELS": "avx"})


def test_names_of_builds_begin_with_their_variant() -> None:
    assert {build.variant for build in BUILDS} == set(VARIANTS)
