"""Questions and answers of a worker process: one JSON a line. Uses the standard library only."""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

Settings = dict[str, Any]
Handler = Callable[[Settings], Any]


def requests_of(question: Settings) -> list[tuple[list[int], list[list[int]]]]:
    """Prefix and items of every request in a question."""
    return [(request["prefix"], request["items"]) for request in question["requests"]]


def run(load: Callable[[Settings], tuple[str, Handler]]) -> None:
    """Load the model that the command line's JSON names, print its version, and answer questions until the input ends.

    Output of libraries goes to standard error, because standard output carries the answers.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        note, handler = load(json.loads(sys.argv[1]))
    except Exception as error:  # noqa: BLE001  (the parent lists the reason)
        traceback.print_exc()
        answers.write(_failed(error))
        return
    gc.collect()
    gc.freeze()
    answers.write(json.dumps({"answer": note}) + "\n")
    for line in sys.stdin:
        answers.write(_answer(handler, json.loads(line)))


def _answer(handler: Handler, question: Settings) -> str:
    try:
        return json.dumps({"answer": handler(question)}) + "\n"
    except Exception as error:  # noqa: BLE001  (the parent lists the reason)
        traceback.print_exc()
        return _failed(error)


def _failed(error: Exception) -> str:
    return json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}) + "\n"
