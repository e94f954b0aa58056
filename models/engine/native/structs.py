"""The structures that `forward.cpp` takes, with the same fields in the same order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any, ClassVar

Fields = list[tuple[str, Any]]


class CLinear(Structure):
    """`struct Linear`."""

    _fields_: ClassVar[Fields] = [
        ("panels", c_void_p),
        ("scales", c_void_p),
        ("begin", c_void_p),
        ("inputs", c_int64),
        ("outputs", c_int64),
    ]


NORMS = ("input_norm", "q_norm", "k_norm", "post_norm")
BIASES = ("q_bias", "k_bias", "v_bias", "o_bias")
LINEARS = ("q", "k", "v", "o", "gate_up", "down")


class CLayer(Structure):
    """`struct Layer`."""

    _fields_: ClassVar[Fields] = [
        *((name, c_void_p) for name in (*NORMS, *BIASES)),
        *((name, CLinear) for name in LINEARS),
    ]


class CModel(Structure):
    """`struct Model`."""

    _fields_: ClassVar[Fields] = [
        *((name, c_int64) for name in ("layers", "hidden", "heads", "kv_heads", "head_size", "mlp")),
        ("layer", POINTER(CLayer)),
        ("cos", c_void_p),
        ("sin", c_void_p),
        ("embedding", c_void_p),
        ("norm_eps", c_float),
        ("threads", c_int32),
        ("storage", c_int32),
    ]


class CBatch(Structure):
    """`struct Batch`."""

    _fields_: ClassVar[Fields] = [
        *((name, c_int64) for name in ("tokens", "slots", "items", "segments", "queries", "last_queries")),
        *((name, c_void_p) for name in ("ids", "positions", "slot", "last", "segment", "query", "last_query")),
        *((name, c_void_p) for name in ("out", "x", "q", "keys", "values")),
    ]


def pointer(tensor: Any) -> int:
    """Return the address of a tensor's or array's memory; the caller must keep the owner alive while it is used."""
    return int(tensor.data_ptr() if hasattr(tensor, "data_ptr") else tensor.ctypes.data)


@dataclass(frozen=True, slots=True)
class PackedMatrix:
    """Addresses and sizes of a matrix that is packed; `outputs` and `inputs` are those of the weights."""

    panels: int
    scales: int
    begin: int
    inputs: int
    outputs: int
