"""Rules by which the next of the waiting requests is chosen, behind one protocol.

A policy sees the requests of one priority. Its time is the token clock: how many tokens were computed so far. What a
policy prefers changes the order alone: the priority of a request, its deadline and its withdrawal are the queue's.
"""

from __future__ import annotations

from typing import Protocol, cast

from typing_extensions import override

from models.engine.scheduling.member import Node, Request
from models.engine.scheduling.prefix_tree import PrefixTree
from models.engine.scheduling.rankings import Arrivals, Unranked


class Policy(Protocol):
    """An order of waiting requests."""

    @property
    def tree(self) -> PrefixTree:
        """The tree of the requests that wait; its owner tells it what is computed."""
        ...

    def add(self, request: Request) -> None:
        """Take in a request whose `order` and `arrived` are set."""
        ...

    def remove(self, request: Request) -> None:
        """Take out a request that waits, because it is taken or withdrawn."""
        ...

    def first(self, clock: int) -> Request:
        """Return the request to take next; one must wait. Changes nothing that a caller could see."""
        ...

    def took(self) -> None:
        """Note that what `first` returned was taken: a policy may count its steps."""
        ...


class OnTree(Policy):
    """What all policies share: a tree, and no steps to count."""

    def __init__(self, tree: PrefixTree) -> None:
        self._tree = tree

    @property
    @override
    def tree(self) -> PrefixTree:
        """The tree."""
        return self._tree

    @override
    def add(self, request: Request) -> None:
        """Put the request into the tree."""
        self._tree.add(request)

    @override
    def remove(self, request: Request) -> None:
        """Take the request out of the tree."""
        self._tree.remove(request)

    @override
    def took(self) -> None:
        """Do nothing."""


class Fcfs(OnTree):
    """First come, first served. A logarithm a decision."""

    def __init__(self) -> None:
        super().__init__(PrefixTree(Unranked))
        self._arrivals = Arrivals()

    @override
    def add(self, request: Request) -> None:
        """Put the request behind those that came before."""
        super().add(request)
        self._arrivals.came(request)

    @override
    def first(self, clock: int) -> Request:
        """Return the oldest."""
        return self._arrivals.first()


class Lpm(OnTree):
    """Longest prefix match: the most computed tokens first, then the oldest. What no one shares may wait for ever.

    Of computed prefixes of one length the one below which requests have waited longest comes first.
    """

    def __init__(self) -> None:
        super().__init__(PrefixTree(Arrivals))

    @override
    def first(self, clock: int) -> Request:
        """Return the oldest below the longest computed prefix."""
        return _oldest_below(self._tree.deepest_computed())


class KLpm(Lpm):
    """k-LPM (arXiv 2502.04677): the oldest, then k - 1 by longest prefix, and again. k = 1 is FCFS, k = infinity LPM.

    A request waits for at most k times as many others as were older than it.
    """

    K = 16

    def __init__(self, k: int = K) -> None:
        super().__init__()
        self._k, self._step = k, 0

    @override
    def first(self, clock: int) -> Request:
        """Return the oldest at each k-th step."""
        return super().first(clock) if self._step else _oldest_below(self._tree.root)

    @override
    def took(self) -> None:
        """Count the step."""
        self._step = (self._step + 1) % self._k


class AgedLpm(OnTree):
    """LPM with ageing: a computed token counts as much as `tokens` tokens of waiting. Looks at each computed prefix."""

    TOKENS = 300

    def __init__(self, tokens: int = TOKENS) -> None:
        super().__init__(PrefixTree(Arrivals))
        self._tokens = tokens

    @override
    def first(self, clock: int) -> Request:
        """Return the best of the oldest below each computed prefix."""
        nodes = (node for node in self._tree.computed_nodes() if node.count)
        return min(((node.depth, _oldest_below(node)) for node in nodes), key=self._key)[1]

    def _key(self, found: tuple[int, Request]) -> tuple[int, int]:
        depth, request = found
        return request.arrived - self._tokens * depth, request.order


def _oldest_below(node: Node) -> Request:
    return cast("Arrivals", node.ranking).first()
