from pathlib import Path

import pytest
import torch

from models.engine.checkpoint import Checkpoint, load_checkpoint
from models.engine.forward.packed import PackedForward
from models.engine.forward.plan import Plan
from models.engine.native import arithmetic, open_forward
from models.engine.native.build import Toolchain, load_kernels, open_library
from models.engine.native.forward import KINDS, NativeForward, available
from models.engine.qwen3 import Qwen3
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2, "int8": 6e-2}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(
        path,
        byte_level_tokenizer(),
        hidden_size=96,
        intermediate_size=160,
        max_position_embeddings=2048,
    )
    return load_checkpoint(path, "ranker")


@pytest.mark.parametrize("kind", KINDS)
def test_each_arithmetic_gives_the_hidden_states_of_torch_up_to_its_rounding(
    checkpoint: Checkpoint, kind: str
) -> None:
    if not available(kind, checkpoint.shape):
        pytest.skip(f"this machine has no {kind} kernels")
    plan = Plan()
    plan.add([5, 6, 7] * 200, [[9 + i] * (1 + 37 * i) for i in range(8)])
    plan.add([], [[4, 3, 2] * 300, [2]])
    with torch.inference_mode():
        exact = PackedForward(Qwen3(checkpoint, dtype=torch.float32, device=torch.device("cpu")))
        wanted, got = exact.last_hidden(plan), NativeForward(checkpoint, kind, 2).last_hidden(plan)
    assert (got - wanted).norm() / wanted.norm() < TOLERANCE[kind]


@pytest.mark.parametrize(
    ("dtype", "vendor", "flags", "kind"),
    [
        ("auto", "GenuineIntel", {"avx512f"}, "float32"),
        ("float32", "GenuineIntel", {"avx512f", "amx_bf16"}, "float32"),
        ("bfloat16", "GenuineIntel", {"avx512f", "avx512_bf16"}, "float32"),
        ("bfloat16", "GenuineIntel", {"avx512f", "avx512_bf16", "amx_bf16"}, None),
        ("bfloat16", "AuthenticAMD", {"avx512f", "avx512_bf16"}, "bfloat16"),
        ("bfloat16", "AuthenticAMD", {"avx512f"}, "float32"),
        ("int8", "GenuineIntel", {"avx512f", "amx_bf16"}, "int8"),
    ],
)
def test_the_cpu_decides_what_bfloat16_is_computed_in(
    dtype: str, vendor: str, flags: set[str], kind: str | None
) -> None:
    assert arithmetic(dtype, vendor, frozenset(flags)) == kind


@pytest.mark.parametrize(
    ("toolchain", "message"),
    [
        (Toolchain(cpu=frozenset()), "the CPU has no avx512f"),
        (Toolchain(compilers=("no-such-compiler",)), "no C++ compiler found (no-such-compiler)"),
        (Toolchain(options=("--no-such-option",)), "failed"),
    ],
    ids=["cpu", "compiler", "option"],
)
def test_what_a_machine_lacks_is_logged_and_torch_takes_over(
    checkpoint: Checkpoint,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    toolchain: Toolchain,
    message: str,
) -> None:
    if load_kernels() is None:
        pytest.skip("this machine has no kernels to lose")
    assert open_forward(checkpoint, "float32", lambda: open_library(tmp_path, toolchain)) is None
    assert message in caplog.text
    assert list(tmp_path.iterdir()) == []
