"""Skip a pattern on texts that contain none of the literals of which every match needs one."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
Literals = frozenset[str]


def search(rule: re.Pattern[str], text: str) -> re.Match[str] | None:
    """`rule.search(text)`; None without a search where no match is possible."""
    return rule.search(text) if may_match(rule, text) else None


def may_match(rule: re.Pattern[str], text: str) -> bool:
    """Whether the pattern may match the text; False only where it certainly cannot."""
    literals = literals_of(rule.pattern)
    return not literals or any(literal in text for literal in literals)


@cache
def literals_of(pattern: str) -> Literals:
    """Literals of which each match contains at least one; empty where the pattern does not require any."""
    return _of_sequence(list(_parser.parse(pattern)))


def _of_sequence(parts: list[tuple[Any, Any]]) -> Literals:
    """The set required by the most selective part: of the parts' sets the one whose shortest literal is the longest."""
    required: list[Literals] = []
    run = ""
    for operation, argument in parts:
        if str(operation) == "LITERAL":
            run += chr(argument)
            continue
        required += [frozenset({run})] if run else []
        run = ""
        required.append(_of_part(str(operation), argument))
    required += [frozenset({run})] if run else []
    return max(required, key=lambda p: min(map(len, p), default=0), default=frozenset())


def _of_part(operation: str, argument: Any) -> Literals:
    if operation == "SUBPATTERN":
        return _of_sequence(list(argument[-1]))
    if operation == "BRANCH":
        branches = [_of_sequence(list(branch)) for branch in argument[1]]
        return frozenset().union(*branches) if all(branches) else frozenset()
    if operation in {"MAX_REPEAT", "MIN_REPEAT"} and argument[0] > 0:
        return _of_sequence(list(argument[2]))
    return frozenset()
