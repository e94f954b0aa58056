from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.engine.checkpoint import load_checkpoint
from models.engine.decoder import Decoder
from models.engine.forward.multi_item import BLOCK, MultiItemForward, rounded_length, tables, visible_blocks
from models.engine.forward.packed import PackedForward
from models.engine.forward.plan import Plan
from tests.support.tiny import byte_level_tokenizer, write_checkpoint


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    plan = Plan()
    for token in range(draw(st.integers(1, 4))):
        prefix = [token] * draw(st.integers(0, 300))
        least = 0 if prefix else 1
        plan.add(
            prefix, [[7] * count for count in draw(st.lists(st.integers(least, 200), min_size=1, max_size=6))]
        )
    return plan


def visible(plan: Plan, length: int) -> NDArray[np.bool_]:
    """Whether token i sees token j, written out."""
    segment, parent, _ = tables(plan, length)
    place = np.arange(length)
    own = (segment[:, None] == segment[None]) & (place[:, None] >= place[None])
    seen: NDArray[np.bool_] = own | (parent[:, None] == segment[None])
    return seen


@given(plans())
def test_the_blocks_are_those_that_hold_something_visible(plan: Plan) -> None:
    length = rounded_length(len(plan.ids))
    blocks = length // BLOCK
    numbers, indices = visible_blocks(plan, length)
    seen = visible(plan, length)
    seen[len(plan.ids) :] = False
    any_visible = seen.reshape(blocks, BLOCK, blocks, BLOCK).any(axis=(1, 3))
    for block in range(blocks):
        wanted = np.flatnonzero(any_visible[block]).tolist() or [block]  # padding sees itself
        assert indices[block, : numbers[block]].tolist() == wanted


@given(st.integers(1, 200_000))
def test_few_lengths_are_compiled_and_little_is_computed_in_vain(tokens: int) -> None:
    length = rounded_length(tokens)
    assert length % BLOCK == 0
    assert tokens <= length <= 1.25 * tokens + 2 * BLOCK
    assert len({rounded_length(n) for n in range(1, 65_537, 64)}) < 32


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.timeout(280)
def test_the_compiled_pass_agrees_with_merged_attention(tmp_path: Any) -> None:
    checkpoint = load_checkpoint(
        write_checkpoint(tmp_path, byte_level_tokenizer(), head_dim=16, max_position_embeddings=1024),
        "ranker",
    )
    model = Decoder(checkpoint, dtype=torch.float32, device=torch.device("cpu"))
    plan = Plan()
    plan.add([5, 6, 7] * 30, [[9 + i] * (20 + 13 * i) for i in range(6)])
    plan.add([8] * 40, [[4, 3, 2] * 30, [2]])
    with torch.inference_mode():
        compiled = MultiItemForward(model, compiled=True).last_hidden(plan)
        torch.testing.assert_close(compiled, PackedForward(model).last_hidden(plan), atol=1e-4, rtol=1e-5)
