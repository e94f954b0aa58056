from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from models.engine.checkpoint import Checkpoint, load_checkpoint
from models.engine.decoder import Decoder
from models.engine.forward.packed import PackedForward
from models.engine.forward.plan import Plan
from models.engine.native.forward import NativeForward, available
from models.engine.native.kernels import KINDS
from models.engine.native.opening import arithmetic
from tests.support.kernels import NAMES, kernels_of
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2, "int8": 6e-2}
SHAPES: list[dict[str, object]] = [
    {"hidden_size": 96, "intermediate_size": 160, "max_position_embeddings": 2048},
    {"hidden_size": 91, "intermediate_size": 77, "head_dim": 22, "max_position_embeddings": 1024},
    {"hidden_size": 5, "intermediate_size": 3, "head_dim": 2, "max_position_embeddings": 1024},
]
"""Whole vectors; widths that no vector divides; widths below one vector."""


@pytest.fixture(scope="module", params=range(len(SHAPES)))
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(path, byte_level_tokenizer(), **SHAPES[request.param])
    return load_checkpoint(path, "ranker")


@pytest.fixture(scope="module")
def plan() -> Plan:
    plan = Plan()
    plan.add([5, 6, 7] * 200, [[9 + i] * (1 + 37 * i) for i in range(8)])
    plan.add([], [[4, 3, 2] * 300, [2]])
    return plan


@pytest.fixture(scope="module")
def wanted(checkpoint: Checkpoint, plan: Plan) -> Iterator[torch.Tensor]:
    with torch.inference_mode():
        exact = PackedForward(Decoder(checkpoint, dtype=torch.float32, device=torch.device("cpu")))
        yield exact.last_hidden(plan)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_each_arithmetic_gives_the_hidden_states_of_torch_up_to_its_rounding(
    checkpoint: Checkpoint, plan: Plan, wanted: torch.Tensor, name: str, kind: str
) -> None:
    kernels = kernels_of(name)
    if not available(kernels, kind, checkpoint.shape):
        pytest.skip(f"{name} has no {kind}")
    got = NativeForward(checkpoint, kind, 2, kernels).last_hidden(plan)
    assert (got - wanted).norm() / wanted.norm() < TOLERANCE[kind]


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_products_of_the_largest_integers_do_not_overflow(
    checkpoint: Checkpoint, plan: Plan, name: str
) -> None:
    """Where all weights and first activations are +-127, sums of two products fill 15 bits."""
    kernels = kernels_of(name)
    extreme = {
        key: w.sign() * 0.02 if w.dim() > 1 else torch.ones_like(w) for key, w in checkpoint.weights.items()
    }
    checkpoint = replace(checkpoint, weights=extreme)
    exact = PackedForward(Decoder(checkpoint, dtype=torch.float32, device=torch.device("cpu")))
    wanted = exact.last_hidden(plan)
    got = NativeForward(checkpoint, "int8", 2, kernels).last_hidden(plan)
    assert (got - wanted).norm() / wanted.norm() < TOLERANCE["int8"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_an_embedding_of_each_type_gives_the_hidden_states_of_torch(
    checkpoint: Checkpoint, plan: Plan, name: str, dtype: torch.dtype
) -> None:
    embedding = checkpoint.weights["model.embed_tokens.weight"].to(dtype)
    checkpoint = replace(checkpoint, weights={**checkpoint.weights, "model.embed_tokens.weight": embedding})
    exact = PackedForward(Decoder(checkpoint, dtype=torch.float32, device=torch.device("cpu")))
    wanted = exact.last_hidden(plan)
    got = NativeForward(checkpoint, "float32", 2, kernels_of(name)).last_hidden(plan)
    assert (got - wanted).norm() / wanted.norm() < TOLERANCE["float32"]


@pytest.mark.parametrize("past_the_end", [0, 1, 1 << 20])
@pytest.mark.parametrize("name", NAMES)
def test_a_token_outside_the_vocabulary_is_refused(
    checkpoint: Checkpoint, name: str, past_the_end: int
) -> None:
    plan = Plan()
    vocabulary = len(checkpoint.weights["model.embed_tokens.weight"])
    plan.add([5, 6], [[7, vocabulary + past_the_end]])
    with pytest.raises(IndexError, match=f"{vocabulary + past_the_end}, the model has 0 to {vocabulary - 1}"):
        NativeForward(checkpoint, "float32", 2, kernels_of(name)).last_hidden(plan)


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
