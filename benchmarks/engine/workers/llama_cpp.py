"""llama.cpp by its C interface, called as its server does, without the time that the server itself takes.

Tokens that items share are computed once, because they belong to all sequences of one batch. Only the last token of
each sequence has logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as api

from benchmarks.engine.workers import gguf_file
from benchmarks.engine.workers.protocol import Handler, Settings, requests_of, run

TOKENS, SEQUENCES = 12_288, 64


def load(settings: Settings) -> tuple[str, Handler]:
    """A context over the checkpoint at `path` in `dtype` (`int8` is Q8_0)."""
    file = gguf_file.ensure(Path(settings["path"]), settings["dtype"])
    api.llama_backend_init()
    how = api.llama_model_default_params()
    how.n_gpu_layers = 999 if settings["device"] == "cuda" else 0
    model = api.llama_model_load_from_file(str(file).encode(), how)
    if not model:
        raise RuntimeError(f"llama.cpp cannot load {file.name}")
    context = api.llama_init_from_model(model, _context(settings))
    labels = settings["labels"]

    def score(question: Settings) -> list[list[float]]:
        shared = question["mode"] != "unshared"
        return [
            _score(context, prefix, items, labels, shared=shared) for prefix, items in requests_of(question)
        ]

    return f"llama-cpp-python {api.__version__}", score


def _context(settings: Settings) -> Any:
    how = api.llama_context_default_params()
    how.n_ctx = how.n_batch = TOKENS
    how.n_ubatch = settings.get("ubatch", 512)
    how.n_seq_max = SEQUENCES
    how.n_threads = how.n_threads_batch = settings["threads"]
    how.kv_unified = True
    return how


def _score(
    context: Any, prefix: list[int], items: list[list[int]], labels: Sequence[int], *, shared: bool
) -> list[float]:
    start = prefix if shared else []
    rest = items if shared else [prefix + item for item in items]
    batch = api.llama_batch_init(len(start) + sum(map(len, rest)), 0, len(items))
    every = range(len(items))
    last = []
    for position, token in enumerate(start):
        _add(batch, token, position, every)
    for sequence, tokens in enumerate(rest):
        for position, token in enumerate(tokens, len(start)):
            _add(batch, token, position, [sequence])
        last.append(batch.n_tokens - 1)
        batch.logits[last[-1]] = 1
    api.llama_memory_clear(api.llama_get_memory(context), True)
    status = api.llama_decode(context, batch)
    api.llama_batch_free(batch)
    if status:
        raise RuntimeError(f"llama_decode gave {status}")
    return [_first_share(api.llama_get_logits_ith(context, index), labels) for index in last]


def _add(batch: Any, token: int, position: int, sequences: Sequence[int]) -> None:
    index = batch.n_tokens
    batch.token[index], batch.pos[index], batch.logits[index] = token, position, 0
    batch.n_seq_id[index] = len(sequences)
    for place, sequence in enumerate(sequences):
        batch.seq_id[index][place] = sequence
    batch.n_tokens = index + 1


def _first_share(logits: Any, labels: Sequence[int]) -> float:
    highest = max(logits[label] for label in labels)
    weights = [math.exp(logits[label] - highest) for label in labels]
    return weights[0] / sum(weights)


if __name__ == "__main__":
    run(load)
