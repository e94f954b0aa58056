"""How a contender in a process of its own is asked: one JSON a line, in and out. Only the standard library."""

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
    """The (prefix, items) of every request in a question."""
    return [(request["prefix"], request["items"]) for request in question["requests"]]


def run(load: Callable[[Settings], tuple[str, Handler]]) -> None:
    """Load what the command line's JSON names, say its version, then answer until the input ends.

    Whatever a library prints goes to the standard error: the standard output is the parent's.
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
