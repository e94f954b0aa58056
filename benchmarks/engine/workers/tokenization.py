"""The engine's tokenization of several texts in one call, and of the same texts one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engine.workers.protocol import Handler, Settings, run
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig


def load(settings: Settings) -> tuple[str, Handler]:
    """Load the shipped ranker's tokenizer; a question has `texts`, its answer their tokens and the seconds."""
    engine = CheckpointEngine(Path(settings["path"]), EngineConfig(device="cpu", threads=settings["threads"]))

    def measure(question: Settings) -> dict[str, object]:
        texts: list[str] = question["texts"]
        return {
            "tokens": [len(ids) for ids in engine.encode_many(texts)],
            "together_s": _seconds(engine, [texts]),
            "apart_s": _seconds(engine, [[text] for text in texts]),
        }

    return "this repository", measure


def _seconds(engine: CheckpointEngine, calls: Sequence[list[str]]) -> float:
    start = time.perf_counter()
    for texts in calls:
        engine.encode_many(texts)
    return time.perf_counter() - start


if __name__ == "__main__":
    run(load)
