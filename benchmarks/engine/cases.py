"""The cases that are measured, by name; each has one model shape and can be run on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.engine.workload import UNEQUAL, Workload, equal

Kind = Literal["closed", "open", "gain", "tokenization"]
OURS = ("ours:float32", "ours:bfloat16", "ours:int8")
LLAMA = ("llamacpp:float32", "llamacpp:bfloat16", "llamacpp:int8")


def _both(*kinds: str) -> tuple[str, ...]:
    return tuple(f"{kind}:{dtype}" for kind in kinds for dtype in ("float32", "bfloat16"))


MOST = (*OURS, *_both("hf-padded", "hf-single"), *LLAMA, *_both("vllm"))
VARIANTS = _both("ours-torch", "ours-multi-item")
UNSHARED = tuple(name.replace("ours", "ours-unshared") for name in OURS)
SOME = (*OURS, *_both("hf-padded", "vllm"), *LLAMA[:2])
"""Contenders of the cases after the first one, without the slowest peers."""
AVX2 = (
    *("ours-avx2:float32", "ours-avx2:int8"),
    *_both("hf-padded-avx2", "hf-single-avx2", "vllm-avx2"),
    *(name.replace("llamacpp", "llamacpp-avx2") for name in LLAMA),
)
"""What a processor without AVX-512 would run, on one that has it."""
FULL = (*OURS, *_both("hf-padded"), "vllm:float32", "sglang:float32")
"""Contenders for full texts: each server in its faster dtype only."""
SERVERS = ("ours-server", "sglang", "vllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A load on a model shape.

    `repeats`: calls of one turn, each with other token ids. `budget_s`: no round begins that would end after this time.
    """

    name: str
    title: str
    kind: Kind = "closed"
    shape: str
    load: Workload
    contenders: tuple[str, ...] = ()
    group: str = ""
    """Contenders of cases with one shape and group are loaded together; a shape has several groups to save memory."""
    rounds: int = 5
    repeats: int = 1
    budget_s: float = 120.0


def cases(device: str) -> list[Case]:
    """The cases of a device, shape by shape. On a CPU a request has two full texts, because ten take minutes."""
    cpu = device == "cpu"
    texts = 2 if cpu else 10
    summary, full = equal(10, 220, 70), equal(texts, 900, 70)
    closed = [
        Case(
            name="pruned-summary",
            title="Pruned shape, 10 items of 220 tokens, 70 of them shared",
            shape="pruned",
            load=summary,
            contenders=MOST,
            rounds=6,
            budget_s=300.0,
        ),
        Case(
            name="pruned-unequal",
            title="Pruned shape, 10 items of 90 to 600 tokens, 70 of them shared",
            shape="pruned",
            load=Workload(shared=70, own=UNEQUAL),
            contenders=SOME,
            rounds=3,
            budget_s=240.0,
        ),
        Case(
            name="pruned-concurrent",
            title="Pruned shape, 4 requests at once, each of 3 items of 220 tokens, 70 of them shared",
            shape="pruned",
            load=equal(3, 220, 70, requests=4),
            contenders=SOME,
            rounds=3,
            budget_s=240.0,
        ),
        Case(
            name="pruned-full-text",
            title=f"Pruned shape, {texts} items of 900 tokens, 70 of them shared",
            shape="pruned",
            group="full",
            load=full,
            contenders=FULL,
            rounds=3,
            budget_s=240.0,
        ),
        Case(
            name="pruned-gain",
            title="Pruned shape: 10 items of 200 tokens with and without sharing 50 of them",
            kind="gain",
            shape="pruned",
            load=equal(10, 200, 50),
            contenders=(*OURS, *UNSHARED),
            rounds=3,
        ),
        Case(
            name="pruned-summary-sglang",
            title="The first case beside SGLang, apart from the other peers for lack of memory",
            shape="pruned",
            group="sglang",
            load=summary,
            contenders=(*OURS, *_both("hf-padded", "sglang"), "sglang-noradix:float32"),
            rounds=3,
        ),
        Case(
            name="pruned-summary-variants",
            title="The first case, variants of our engine",
            shape="pruned",
            group="variants",
            load=summary,
            contenders=(*OURS, *VARIANTS),
            rounds=3,
        ),
        *(_avx2(summary) if cpu else []),
        Case(
            name="dense-full-text",
            title=f"Dense shape, {texts} items of 900 tokens, 70 of them shared",
            shape="dense",
            load=full,
            contenders=FULL,
            rounds=3,
            budget_s=240.0,
        ),
        *(_smollm2(summary) if cpu else []),
        Case(
            name="tiny-summary",
            title="The shipped model's shape, 10 items of 220 tokens, 70 of them shared",
            shape="tiny",
            load=summary,
            contenders=(*MOST, *_both("sglang"), *VARIANTS),
            rounds=12,
            repeats=4,
        ),
        Case(
            name="tiny-gain",
            title="The shipped model's shape: 50 items of 200 tokens with and without sharing 50 of them",
            kind="gain",
            shape="tiny",
            load=equal(50, 200, 50),
            contenders=(*OURS, *UNSHARED),
            rounds=12,
        ),
    ]
    return [*closed, *_open(summary, equal(10, 900, 70), cpu=cpu), _tokenization()]


def _smollm2(load: Workload) -> list[Case]:
    return [
        Case(
            name="smollm2-summary",
            title="SmolLM2-135M-Instruct, a pretrained Llama, 10 items of 220 tokens, 70 of them shared",
            shape="smollm2",
            load=load,
            contenders=(*MOST, "llamacpp:q4_1"),
            rounds=6,
            repeats=2,
            budget_s=300.0,
        )
    ]


def _avx2(load: Workload) -> list[Case]:
    return [
        Case(
            name=f"{shape}-summary-avx2",
            title=f"{what} shape, 10 items of 220 tokens, 70 of them shared, without AVX-512",
            shape=shape,
            group="avx2",
            load=load,
            contenders=AVX2,
            rounds=rounds,
            repeats=repeats,
            budget_s=300.0,
        )
        for shape, what, rounds, repeats in [
            ("pruned", "Pruned", 4, 1),
            ("tiny", "The shipped model's", 12, 4),
        ]
    ]


def _open(summary: Workload, full: Workload, *, cpu: bool) -> list[Case]:
    """The paper's three open-loop cases; on a CPU one with a tiny model, the only one that can keep the bound."""
    wanted = [("tiny", "summary", summary)] if cpu else []
    wanted += (
        []
        if cpu
        else [("dense", "full-text", full), ("pruned", "full-text", full), ("pruned", "summary", summary)]
    )
    return [
        Case(
            name=f"{shape}-{text}-open",
            title=f"Poisson arrivals: {shape} shape, 10 items of {load.shared + load.own[0]} tokens, 70 of them shared",
            kind="open",
            shape=shape,
            load=load,
            contenders=tuple(f"{server}:{'float32' if cpu else 'bfloat16'}" for server in SERVERS),
        )
        for shape, text, load in wanted
    ]


def _tokenization() -> Case:
    return Case(
        name="tokenization",
        title="Tokenization alone: texts of at least 200 tokens in one call and one by one",
        kind="tokenization",
        shape="tiny",
        load=equal(8, 200, 0),
        rounds=200,
    )
