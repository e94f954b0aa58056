"""Measure the peak of matrix multiplication: one product by every available routine, in operations a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from benchmarks.engine.workers.protocol import Handler, Settings, run

LEAST_TIMES, LEAST_S = 3, 0.2
Multiply = Callable[[], object]


def load(settings: Settings) -> tuple[str, Handler]:
    """Prepare every routine that runs on this device."""
    torch.set_num_threads(settings["threads"])
    device = torch.device(settings["device"])
    rows, inner, columns = settings["product"]
    with torch.inference_mode():
        routines = {
            name: multiply
            for name, multiply in _candidates(device, settings["product"]).items()
            if _runs(multiply, device)
        }

    @torch.inference_mode()
    def measure(_: Settings) -> dict[str, float]:
        return {name: 2 * rows * inner * columns / _fastest(one, device) for name, one in routines.items()}

    return f"torch {torch.__version__}", measure


def _candidates(device: torch.device, product: Sequence[int]) -> dict[str, Multiply]:
    """Names are `dtype routine`; `product`: rows, inner width, columns."""
    rows, inner, columns = product
    found: dict[str, Multiply] = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(rows, inner, device=device).to(dtype)
        w = torch.randn(columns, inner, device=device).to(dtype)
        name = str(dtype).removeprefix("torch.")
        found[f"{name} linear"] = partial(torch.nn.functional.linear, x, w)
        if device.type == "cpu":
            found[f"{name} onednn prepacked"] = _prepacked(x, w)
    a, b = (
        torch.randint(-127, 127, size, dtype=torch.int8, device=device)
        for size in ((rows, inner), (columns, inner))
    )
    found["int8 _int_mm"] = partial(torch._int_mm, a, b.t())  # noqa: SLF001  (the only int8 product there is)
    return found


def _prepacked(x: torch.Tensor, w: torch.Tensor) -> Multiply:
    """The product with weights in oneDNN's own layout, as torch.compile freezes them."""
    packed: list[torch.Tensor] = []

    def multiply() -> object:
        if not packed:
            packed.append(torch.ops.mkldnn._reorder_linear_weight(w, x.shape[0]))  # noqa: SLF001
        return torch.ops.mkldnn._linear_pointwise(x, packed[0], None, "none", [], "")  # noqa: SLF001

    return multiply


def _runs(multiply: Multiply, device: torch.device) -> bool:
    try:
        multiply()
        _wait(device)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return True


def _fastest(multiply: Multiply, device: torch.device) -> float:
    took: list[float] = []
    while len(took) < LEAST_TIMES or sum(took) < LEAST_S:
        start = time.perf_counter()
        multiply()
        _wait(device)
        took.append(time.perf_counter() - start)
    return min(took)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    run(load)
