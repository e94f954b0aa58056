"""Highest response ratio next, on the tokens that a request would really cost now."""

from __future__ import annotations

from typing import cast

from typing_extensions import override

from models.engine.scheduling.member import Member, Node, Request
from models.engine.scheduling.policies import OnTree
from models.engine.scheduling.prefix_tree import PrefixTree
from models.engine.scheduling.rankings import SizeClasses, Unranked


class Hrrn(OnTree):
    """The highest of waiting over uncached tokens, both of the token clock, right to 15%: the width of a class.

    SGLang's policy `hrrn` without its limit of 128 waiting requests. When a prefix becomes computed or is forgotten,
    all requests below it are ranked anew: its cost grows with them.
    """

    def __init__(self) -> None:
        super().__init__(PrefixTree(_Own, self._rank_below))
        self._classes = SizeClasses()

    @override
    def add(self, request: Request) -> None:
        """Rank the request by what it costs now."""
        super().add(request)
        self._rank(request)

    @override
    def remove(self, request: Request) -> None:
        """Take the request out of the tree."""
        if request.parent is not None:
            _own(request.parent).pop(request, None)
        super().remove(request)

    @override
    def first(self, clock: int) -> Request:
        """Compare the oldest of each class of lengths."""
        return min(
            (cast("Request", one) for one in self._classes.firsts()), key=lambda r: self._key(r, clock)
        )

    def _key(self, request: Request, clock: int) -> tuple[float, int]:
        return (request.arrived - clock) / max(1, self.tree.uncached(request)), request.order

    def _rank(self, request: Request) -> None:
        self._classes.put(request, max(1, self.tree.uncached(request)), request.arrived)

    def _rank_below(self, top: Node) -> None:
        nodes = [top]
        for node in nodes:
            nodes += node.children.values()
            for request in _own(node):
                self._rank(request)


class _Own(Unranked):
    """The requests at a node itself."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests: dict[Request, None] = {}

    @override
    def put(self, member: Member) -> None:
        """Keep a request; children are the tree's."""
        if isinstance(member, Request):
            self.requests[member] = None

    @override
    def above(self) -> _Own:
        """Return an empty one."""
        return _Own()


def _own(node: Node) -> dict[Request, None]:
    return cast("_Own", node.ranking).requests
