"""A fault test's order to die is obeyed at its step, once, and by one process."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from streaming.process.fault_probe import crash_at


def end_of(steps: Sequence[str], order: str) -> int:
    """How a child ends that goes through `steps` under `order`: 0, or the signal that killed it."""
    child = os.fork()
    if child == 0:
        probe = crash_at(order)
        for step in steps:
            probe(step)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


def test_no_order_kills_nobody() -> None:
    assert end_of(["stored"] * 3, "") == 0


def test_a_counted_order_kills_at_the_nth_time() -> None:
    assert end_of(["stored"], "stored@2") == 0
    assert end_of(["stored", "sent", "stored"], "stored@2") == signal.SIGKILL


def test_a_filed_order_kills_once(tmp_path: Path) -> None:
    order = tmp_path / "order"
    assert end_of(["stored"], f"@{order}") == 0
    order.write_text("stored")
    assert end_of(["sent"], f"@{order}") == 0
    assert end_of(["sent", "stored"], f"@{order}") == signal.SIGKILL
    assert not order.exists()
    assert end_of(["stored"], f"@{order}") == 0
