"""The names of metrics and labels in a PromQL expression: a small tokenizer, as no Prometheus is at hand."""

import re
from collections.abc import Iterator
from typing import NamedTuple

KEYWORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}
#: What stands before a list of labels in parentheses.
LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}

_TOKEN = re.compile(
    r"""
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<duration>\[[^\]]*\])
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:ms|[smhdwy])?)
  | (?P<name>[a-zA-Z_:][\w:]*)
  | (?P<mark>[(){},]|=~|!~|!=|==|>=|<=|[-+*/%^<>=])
  | (?P<space>\s+)
    """,
    re.VERBOSE,
)


class Selector(NamedTuple):
    """A metric as an expression names it, and the labels in its braces."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> list[Selector]:
    """Every metric of the expression, in order. ValueError for what is no token."""
    tokens = list(_tokens(expression))
    found = []
    for i, token in enumerate(tokens):
        if _is_metric(tokens, i):
            inside = _until(tokens, i + 2, "}") if tokens[i + 1 : i + 2] == ["{"] else []
            found.append(Selector(token, frozenset(filter(_is_name, inside))))
    return found


def grouped_by(expression: str) -> set[str]:
    """Every label by which the expression groups or joins."""
    tokens = list(_tokens(expression))
    lists = [_until(tokens, i + 2, ")") for i, token in enumerate(tokens) if token in LABEL_LISTS]
    return {token for inside in lists for token in inside if _is_name(token)}


def _is_metric(tokens: list[str], i: int) -> bool:
    if not _is_name(tokens[i]) or tokens[i] in KEYWORDS | LABEL_LISTS or _in_labels(tokens, i):
        return False
    after = tokens[i + 1 : i + 2]
    # a name before a parenthesis is a function, or an aggregation as `sum by (le) (...)`
    return after != ["("] and not (after and after[0] in LABEL_LISTS)


def _in_labels(tokens: list[str], i: int) -> bool:
    """Whether the last bracket open before `i` is that of labels."""
    depth = 0
    for j in range(i - 1, -1, -1):
        if tokens[j] in {")", "}"}:
            depth += 1
        elif tokens[j] in {"(", "{"}:
            if depth == 0:
                return tokens[j] == "{" or (j > 0 and tokens[j - 1] in LABEL_LISTS)
            depth -= 1
    return False


def _until(tokens: list[str], start: int, end: str) -> list[str]:
    return tokens[start : tokens.index(end, start)]


def _is_name(token: str) -> bool:
    return re.fullmatch(r"[a-zA-Z_:][\w:]*", token) is not None


def _tokens(expression: str) -> Iterator[str]:
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            raise ValueError(f"no PromQL from {expression[place:]!r} on")
        if match.lastgroup in {"name", "mark"}:
            yield match[0]
        place = match.end()
