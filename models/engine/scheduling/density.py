"""The policy of ours: prefixes with the most waiting per token that they still cost."""

from __future__ import annotations

from typing import cast

from typing_extensions import override

from models.engine.scheduling.member import Member, Node, Request
from models.engine.scheduling.policies import OnTree
from models.engine.scheduling.prefix_tree import PrefixTree
from models.engine.scheduling.rankings import Arrivals, SizeClasses, Unranked


class Density(OnTree):
    """Down from the root to the child or request with the highest index, and at each `turns`-th step the oldest.

    The index of a prefix is the weight of all that wait below it over the tokens that they cost together: the prefix
    once, and not at all while it is computed. A request weighs 1, and 1 more for each `patience` tokens that were
    computed while it waited. So requests of one prefix are taken together, large groups of small requests first, and
    what waits gains on them. With all weights 1 it is close to the order of the least mean wait when each prefix must
    come before what continues it (Horn 1972). A request waits for at most `turns` times as many as were older.
    """

    PATIENCE, TURNS = 50_000, 64

    def __init__(self, patience: int = PATIENCE, turns: int = TURNS) -> None:
        super().__init__(PrefixTree(_ByDensity))
        self._patience, self._turns, self._step = patience, turns, 1 % turns
        self._arrivals = Arrivals()

    @override
    def add(self, request: Request) -> None:
        """Take in the request, also in the order of arrival."""
        super().add(request)
        self._arrivals.came(request)

    @override
    def first(self, clock: int) -> Request:
        """Compare the longest waiting of each class of densities, at each node on the way down."""
        if not self._step:
            return self._arrivals.first()
        best: Member = self.tree.root
        while isinstance(best, Node):
            classes = cast("_ByDensity", best.ranking).classes
            best = max(classes.firsts(), key=lambda one: self._index(one, clock))
        return cast("Request", best)

    @override
    def took(self) -> None:
        """Count the step."""
        self._step = (self._step + 1) % self._turns

    def _index(self, member: Member, clock: int) -> float:
        return ((self._patience + clock) * member.count - member.arrived) / max(1, member.work)


class _ByDensity(Unranked):
    """A node's members by the tokens that a request at or below each costs on average."""

    __slots__ = ("classes",)

    def __init__(self) -> None:
        self.classes = SizeClasses()

    @override
    def put(self, member: Member) -> None:
        """Rank the member by its sums; of one class the earliest mean arrival comes first."""
        self.classes.put(member, max(1, member.work) / member.count, member.arrived / member.count)

    @override
    def above(self) -> _ByDensity:
        """Return an empty one, into which the tree puts the child."""
        return _ByDensity()
