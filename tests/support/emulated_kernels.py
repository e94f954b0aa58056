"""Kernels of another processor, run under emulation: each call starts the emulator, so that models must be tiny."""

import ctypes
import functools
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from typing_extensions import override

from models.engine.native.build import SOURCES, library_name
from models.engine.native.kernels import KINDS, Kernels, Layout
from models.engine.native.structs import BIASES, LINEARS, NORMS, CBatch, CLayer, CLinear, CModel, PackedMatrix
from models.engine.native.variants import Build
from models.writing import replacing_file

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
DRIVER = Path(__file__).with_suffix(".cpp")
OPTIONS = ("-std=c++17", "-O3", "-fopenmp", "-static")


class EmulatedKernels(Kernels):
    """Sends structures and arrays to a driver that was cross-compiled, and writes what it answers into place."""

    def __init__(self, build: Build, cache: Path) -> None:
        self.name = build.name
        self._driver = _driver(build, cache)

    @override
    def layout(self, kind: str) -> Layout | None:
        """Asked once a kind and build."""
        return _layout(self._driver, kind)

    @override
    def pack(self, kind: str, weights: int, matrix: PackedMatrix) -> None:
        """Run the driver."""
        layout = self._known(kind)
        outputs = -(-matrix.outputs // layout.columns) * layout.columns
        panels = outputs * -(-matrix.inputs // layout.step) * layout.step * layout.element_bytes
        sizes = np.array([matrix.outputs, matrix.inputs, panels, outputs], dtype=np.int64)
        answer = _call(
            self._driver, "pack", kind, sizes.tobytes() + _array(weights, 4 * matrix.outputs * matrix.inputs)
        )
        for address, start, end in (
            (matrix.panels, 0, panels),
            (matrix.scales, panels, panels + 4 * outputs),
            (matrix.begin, panels + 4 * outputs, panels + 8 * outputs),
        ):
            ctypes.memmove(address, answer[start:end], end - start)

    @override
    def forward(self, kind: str, model: CModel, batch: CBatch) -> None:
        """Run the driver."""
        parts = [bytes(model), bytes(batch)]
        for i in range(model.layers):
            parts += _layer(model.layer[i], model, self._known(kind))
        parts += _tables(model, batch)
        parts += _batch(model, batch, self._known(kind).columns)
        answer = _call(self._driver, "forward", kind, b"".join(parts))
        ctypes.memmove(batch.out, answer, len(answer))

    def _known(self, kind: str) -> Layout:
        layout = self.layout(kind)
        assert layout is not None
        return layout


def _driver(build: Build, cache: Path) -> Path:
    digest = hashlib.sha256(DRIVER.read_bytes() + " ".join(OPTIONS).encode()).hexdigest()[:16]
    path = cache / f"emulated-{digest}-{library_name(build).removesuffix('.so')}"
    if not path.exists():
        with replacing_file(path, concurrent=True) as partial:
            command = [COMPILER, *OPTIONS, *build.options, f'-DNEARLINE_BUILD="{build.name}"', f"-I{SOURCES}"]
            subprocess.run([*command, str(DRIVER), "-o", str(partial)], check=True)
            partial.chmod(0o755)
    return path


@functools.cache
def _layout(driver: Path, kind: str) -> Layout | None:
    done = subprocess.run([EMULATOR, driver, "layout", str(KINDS[kind])], capture_output=True, check=False)
    return None if done.returncode == 1 else Layout(*np.frombuffer(done.stdout, dtype=np.int32).tolist())


def _call(driver: Path, call: str, kind: str, sent: bytes) -> bytes:
    command = [EMULATOR, str(driver), call, str(KINDS[kind])]
    return subprocess.run(command, input=sent, capture_output=True, check=True).stdout


def _array(address: int | None, size: int) -> bytes:
    """The number of bytes at an address, then they themselves; none at no address."""
    content = ctypes.string_at(address, size) if address else b""
    return np.int64(len(content)).tobytes() + content


def _layer(layer: CLayer, model: CModel, layout: Layout) -> Iterator[bytes]:
    heads, kv_heads = model.heads * model.head_size, model.kv_heads * model.head_size
    floats = [
        model.hidden,
        model.head_size,
        model.head_size,
        model.hidden,
        heads,
        kv_heads,
        kv_heads,
        model.hidden,
    ]
    yield bytes(layer)
    for name, count in zip((*NORMS, *BIASES), floats, strict=True):
        yield _array(getattr(layer, name), 4 * count)
    for name in LINEARS:
        yield from _linear(getattr(layer, name), layout)


def _linear(linear: CLinear, layout: Layout) -> Iterator[bytes]:
    inputs = -(-linear.inputs // layout.step) * layout.step
    yield _array(linear.panels, linear.outputs * inputs * layout.element_bytes)
    yield _array(linear.scales, 4 * linear.outputs)
    yield _array(linear.begin, 4 * linear.outputs)


def _tables(model: CModel, batch: CBatch) -> Iterator[bytes]:
    rows = _largest(batch.positions, batch.tokens) + 1
    for table in (model.cos, model.sin):
        yield _array(table, 4 * rows * model.head_size // 2)
    rows = _largest(batch.ids, batch.tokens) + 1
    yield _array(model.embedding, (2 if model.storage else 4) * rows * model.hidden)


def _largest(address: int, count: int) -> int:
    """The largest of some 32-bit integers."""
    numbers = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_int32)), (count,))
    return int(numbers.max())


def _batch(model: CModel, batch: CBatch, columns: int) -> Iterator[bytes]:
    queries = batch.tokens * (-(-model.heads * model.head_size // columns) * columns + 16)
    keys = (model.kv_heads * batch.slots + columns) * model.head_size + columns
    for name, size in {
        "ids": 4 * batch.tokens,
        "positions": 4 * batch.tokens,
        "slot": 4 * batch.tokens,
        "last": 4 * batch.items,
        "segment": 12 * batch.segments,
        "query": 16 * batch.queries,
        "last_query": 16 * batch.last_queries,
        "out": 4 * batch.items * model.hidden,
        "x": 4 * batch.tokens * model.hidden,
        "q": 4 * queries,
        "keys": 4 * keys,
        "values": 4 * keys,
    }.items():
        yield _array(getattr(batch, name), size)
