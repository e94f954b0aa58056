"""What a prefix tree holds: a waiting request, or a node under which several wait; both have the same sums."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, Protocol

TOKEN_BYTES = 4
GONE = -1
"""Stamp of a member that is in no ranking."""


def packed(ids: Iterable[int]) -> bytes:
    """Return token ids as bytes, four each: what prefixes are compared as."""
    return array("I", ids).tobytes()


class Member:
    """Sums over the requests at or below one place of a prefix tree."""

    __slots__ = ("arrived", "count", "parent", "stamp", "work")

    parent: Node | None
    count: int
    """Requests that wait here or below."""
    work: int
    """Tokens that are computed if all of them are: a shared prefix once, one that is computed already not at all."""
    arrived: int
    """Sum of the token clock's values at which they came."""
    stamp: int
    """Which of the entries that rankings hold of this member counts; the others are out of date."""


class Request(Member):
    """One request: a prefix that others may share, and tokens of its own behind it."""

    __slots__ = ("caller", "deadline", "order", "own", "payload", "prefix")

    def __init__(
        self, payload: Any = None, *, prefix: bytes = b"", own: int, deadline: float = float("inf")
    ) -> None:
        """`prefix` is what `packed` returns; `deadline` is in seconds of the clock that the queue is called with."""
        self.payload, self.prefix, self.own, self.deadline = payload, prefix, own, deadline
        self.parent, self.stamp = None, GONE
        self.count, self.work, self.arrived = 1, own, 0
        self.order = 0
        """Its number in the order of arrival."""
        self.caller: Any = None

    @property
    def tokens(self) -> int:
        """All its tokens, its prefix among them."""
        return len(self.prefix) // TOKEN_BYTES + self.own


class Ranking(Protocol):
    """An order that a policy keeps of what waits at and below one node."""

    def came(self, request: Request) -> None:
        """Take in a request that has come at or below the node."""
        ...

    def put(self, member: Member) -> None:
        """Take in a child, or a request at the node itself, that is new or whose sums have changed."""
        ...

    def gone(self, member: Member) -> None:
        """Let go of a child or request that is no longer the node's, or below which nothing waits any more."""
        ...

    def above(self) -> Ranking:
        """Return the order for a new node whose only child is this one's."""
        ...


class Node(Member):
    """A place in a prefix tree; the path to it spells a prefix."""

    __slots__ = ("children", "computed", "depth", "edge", "own", "ranking")

    def __init__(self, parent: Node | None, edge: bytes, ranking: Ranking) -> None:
        self.parent, self.edge, self.ranking, self.stamp = parent, edge, ranking, GONE
        self.depth: int = (parent.depth if parent else 0) + len(edge) // TOKEN_BYTES
        """Tokens from the root to here."""
        self.children: dict[bytes, Node] = {}
        """By the first token of their edges."""
        self.own = 0
        """Requests whose prefix ends here."""
        self.computed = parent is None
        """Whether the prefix to here need not be computed again."""
        self.count = self.work = self.arrived = 0
