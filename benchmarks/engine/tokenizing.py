"""The paper's table 8: the gain of tokenizing several texts in one call instead of one by one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

from benchmarks.common.figures import percentile
from benchmarks.engine.cases import Case
from benchmarks.engine.peers import EngineSetup, worker
from benchmarks.engine.shapes import ROOT, TINY

SAMPLE = ROOT / "nearline" / "sample" / "stream.jsonl"
COUNTS = (1, 2, 4, 8)
LEAST_TOKENS = 200


def measure(setup: EngineSetup, case: Case) -> dict[str, Any]:
    """For each number of texts the seconds of every round, in one call and one by one, in turns."""
    texts = _descriptions()
    one = worker("tokenization", dataclasses.replace(setup, path=TINY, workers={}), "")
    one.start()
    try:
        long = [text for text in texts if one.ask({"texts": [text]})["tokens"][0] >= LEAST_TOKENS]
        rounds = [
            {count: one.ask({"texts": _some(long, count, number)}) for count in COUNTS}
            for number in range(case.rounds)
        ]
    finally:
        one.stop()
    tokens = [length for answers in rounds for length in answers[COUNTS[-1]]["tokens"]]
    return {
        "median_tokens": percentile(tokens, 0.5),
        "seconds": {
            str(count): {
                way: [answers[count][f"{way}_s"] for answers in rounds] for way in ("together", "apart")
            }
            for count in COUNTS
        },
    }


def _descriptions() -> list[str]:
    """The descriptions of the sample's valid updates; some of its lines are invalid on purpose."""
    found = []
    for line in SAMPLE.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError, AttributeError):
            found.append((json.loads(line).get("posting") or {}).get("description"))
    return [text for text in found if isinstance(text, str)]


def _some(texts: list[str], count: int, number: int) -> list[str]:
    return [texts[(number * count + n) % len(texts)] for n in range(count)]
