"""The policy of ours: the prefix with the most waiting for the tokens that it still costs."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple, cast

from typing_extensions import override

from models.engine.scheduling.member import GONE, TOKEN_BYTES, Member, Node, Request
from models.engine.scheduling.policies import OnTree
from models.engine.scheduling.prefix_tree import PrefixTree
from models.engine.scheduling.rankings import SPARE, Arrivals, Unranked, new_stamp, size_class


class Density(OnTree):
    """Down from the root to the child or request with the highest index, and at each `turns`-th step the oldest.

    A request weighs 1, and 1 more for each `patience` tokens that were computed while it waited. The index of a request
    is its weight for each token of its own. That of a prefix is the highest weight for each token that any number of
    the requests below it have together, the prefix counted once, or not at all while it is computed. So it takes large
    groups of small requests first, those of one prefix together, and what waits gains on them.

    With all weights 1 and one level of prefixes this is the order of the least mean wait when a prefix must come before
    what continues it (Horn 1972). A request waits for at most `turns` times as many others as were older.
    """

    PATIENCE, TURNS = 2_000, 256

    def __init__(self, patience: int = PATIENCE, turns: int = TURNS) -> None:
        super().__init__(PrefixTree(_Blocks))
        self._patience, self._turns, self._step = patience, turns, 1 % turns
        self._arrivals = Arrivals()

    @override
    def add(self, request: Request) -> None:
        """Take in the request, also in the order of arrival."""
        super().add(request)
        self._arrivals.came(request)

    @override
    def first(self, clock: int) -> Request:
        """Compare, at each node on the way down, the longest waiting of each class of densities."""
        if not self._step:
            return self._arrivals.first()
        best: Member = self.tree.root
        while isinstance(best, Node):
            best = cast("_Blocks", best.ranking).best(clock + self._patience)
        return cast("Request", best)

    @override
    def took(self) -> None:
        """Count the step."""
        self._step = (self._step + 1) % self._turns


class _Block(NamedTuple):
    """Requests that are taken together."""

    count: int
    work: int
    """Tokens that they cost together."""
    arrived: int


class _Class:
    """Blocks of about the same tokens a request: their sums, and the members by mean arrival."""

    __slots__ = ("arrived", "count", "heap", "members", "work")

    def __init__(self) -> None:
        self.count = self.work = self.arrived = self.members = 0
        self.heap: list[tuple[float, int, Member]] = []

    def put(self, member: Member, block: _Block) -> None:
        """Take in a member, which must not be there."""
        self._add(block, 1)
        member.stamp = stamp = new_stamp()
        heappush(self.heap, (block.arrived / block.count, stamp, member))
        if len(self.heap) > 2 * self.members + SPARE:
            self.heap = [entry for entry in self.heap if entry[2].stamp == entry[1]]
            heapify(self.heap)

    def drop(self, member: Member, block: _Block) -> None:
        """Let go of a member that was put with this block."""
        self._add(block, -1)
        member.stamp = GONE

    def first(self) -> Member:
        """Return the member with the earliest mean arrival; there must be one."""
        while self.heap[0][2].stamp != self.heap[0][1]:
            heappop(self.heap)
        return self.heap[0][2]

    def _add(self, block: _Block, sign: int) -> None:
        self.members += sign
        self.count += sign * block.count
        self.work += sign * block.work
        self.arrived += sign * block.arrived


class _Blocks(Unranked):
    """What waits at and below a node, by density. A change is taken in when someone asks for the best."""

    __slots__ = ("_blocks", "_changed", "_classes")

    def __init__(self) -> None:
        self._blocks: dict[Member, tuple[int, _Block] | None] = {}
        """Of each member its class and block; None before it was first taken in."""
        self._changed: dict[Member, None] = {}
        self._classes: dict[int, _Class] = {}

    @override
    def put(self, member: Member) -> None:
        """Note that the member is new or has changed."""
        self._blocks.setdefault(member)
        self._changed[member] = None

    @override
    def gone(self, member: Member) -> None:
        """Let go of the member."""
        self._changed.pop(member, None)
        self._drop(member, self._blocks.pop(member, None))

    @override
    def above(self) -> _Blocks:
        """Return an empty one, into which the tree puts the child."""
        return _Blocks()

    def best(self, clock: int) -> Member:
        """Return the member of the highest index; `clock` is the token clock with the weight of a new request added."""
        if len(self._blocks) == 1:
            return next(iter(self._blocks))
        self._renew()
        return max(self._firsts(), key=lambda one: self._index(one, clock))

    def block(self, node: Node) -> _Block:
        """Return the requests below this node that it has the highest density with; ages do not count.

        If a computed prefix is used up now, it need not be computed again for those that are left: so all together cost
        its tokens less.
        """
        self._renew()
        prefix = len(node.edge) // TOKEN_BYTES
        count, work, arrived = 0, 0 if node.computed else prefix, 0
        best, density = _Block(0, 0, 0), 0.0
        for _, one in sorted(self._classes.items()):
            count, work, arrived = count + one.count, work + one.work, arrived + one.arrived
            if count >= density * work:
                best, density = _Block(count, work, arrived), count / work
        spared = max(1, work - prefix) if node.computed else work
        return _Block(count, spared, arrived) if count > density * spared else best

    def _index(self, member: Member, clock: int) -> float:
        known = self._blocks[member]
        if known is None:
            return 0.0
        _, (count, work, arrived) = known
        return (clock * count - arrived) / work

    def _firsts(self) -> Iterator[Member]:
        return (one.first() for one in self._classes.values())

    def _renew(self) -> None:
        for member in self._changed:
            self._drop(member, self._blocks[member])
            if isinstance(member, Node):
                block = cast("_Blocks", member.ranking).block(member)
            else:
                block = _Block(1, max(1, member.work), member.arrived)
            number = size_class(block.work / block.count)
            self._blocks[member] = number, block
            self._classes.setdefault(number, _Class()).put(member, block)
        self._changed.clear()

    def _drop(self, member: Member, known: tuple[int, _Block] | None) -> None:
        if known is None:
            return
        number, block = known
        self._classes[number].drop(member, block)
        if not self._classes[number].members:
            del self._classes[number]
