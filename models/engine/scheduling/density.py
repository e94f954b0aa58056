"""The policy of ours: the prefix with the most waiting for the tokens that it still costs."""

from __future__ import annotations

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

    PATIENCE, TURNS = 1_000, 256

    def __init__(self, patience: int = PATIENCE, turns: int = TURNS) -> None:
        super().__init__(PrefixTree(_Blocks, self._changed))
        self._patience, self._turns, self._step = patience, turns, 1 % turns
        self._arrivals = Arrivals()
        self._inside: Node | None = None
        """The node that is taken from, as long as nothing else can have become better."""
        self._found: tuple[Node, int] | None = None
        """Where `first` last found a request, coming from the root, and how many of one block wait there."""
        self._left = 0

    @override
    def add(self, request: Request) -> None:
        """Take in the request, also in the order of arrival."""
        super().add(request)
        self._arrivals.came(request)
        self._leave()

    @override
    def first(self, clock: int) -> Request:
        """Compare, at each node on the way down, the longest waiting of each class of densities."""
        self._found = None
        if not self._step:
            return self._arrivals.first()
        if self._left > 0 and self._inside and self._inside.count:
            return self._down(self._inside, clock)
        self._found = self.tree.root, 1
        return self._down(self.tree.root, clock)

    @override
    def took(self) -> None:
        """Count the step, and what is left of the block."""
        self._step = (self._step + 1) % self._turns
        if self._found:
            self._inside, self._left = self._found
        self._left -= 1

    def _down(self, node: Node, clock: int) -> Request:
        """Go down from a node to a request; from the root, note the last block of several on the way."""
        while True:
            ranking = cast("_Blocks", node.ranking)
            best = ranking.best(clock + self._patience)
            if isinstance(best, Request):
                return best
            node = cast("Node", best)
            if self._found and (count := ranking.count_of(node)) > 1:
                self._found = node, count

    def _changed(self, node: Node) -> None:
        if not node.computed:
            self._leave()

    def _leave(self) -> None:
        """Compare all again at the next step."""
        self._left = 0


class _Block(NamedTuple):
    """Requests that are taken together."""

    requests: int
    work: int
    """Tokens that they cost together."""
    arrived: int


_Entry = tuple[float, int, Member, int, int, int]
"""Mean arrival, stamp, member, and its block."""


class _Class:
    """Blocks of about the same tokens a request: their sums, and a heap of them by mean arrival."""

    __slots__ = ("arrived", "count", "heap", "members", "work")

    def __init__(self) -> None:
        self.count = self.work = self.arrived = self.members = 0
        self.heap: list[_Entry] = []

    def put(self, member: Member, block: _Block) -> None:
        """Take in a member, which must not be there."""
        self._add(block, 1)
        member.stamp = stamp = new_stamp()
        heappush(self.heap, (block.arrived / block.requests, stamp, member, *block))
        if len(self.heap) > 2 * self.members + SPARE:
            self.heap = [entry for entry in self.heap if entry[2].stamp == entry[1]]
            heapify(self.heap)

    def drop(self, member: Member, block: _Block) -> None:
        """Let go of a member that was put with this block."""
        self._add(block, -1)
        member.stamp = GONE

    def _add(self, block: _Block, sign: int) -> None:
        self.members += sign
        self.count += sign * block.requests
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
        """Return the member of the highest index; `clock` is the token clock with the weight of a new request added.

        One loop without calls: it runs for every class, at each node on the way down, at each decision.
        """
        if len(self._blocks) == 1:
            return next(iter(self._blocks))
        self._renew()
        best, highest = None, -1.0
        for one in self._classes.values():
            heap = one.heap
            while heap[0][2].stamp != heap[0][1]:
                heappop(heap)
            _, _, member, count, work, arrived = heap[0]
            index = (clock * count - arrived) / work
            if index > highest:
                best, highest = member, index
        return cast("Member", best)

    def count_of(self, node: Node) -> int:
        """Return how many requests a child's block has; all below it if no one has asked yet."""
        known = self._blocks[node]
        return known[1].requests if known else node.count

    def block(self, node: Node) -> _Block:
        """Return the requests below this node that it has the highest density with; ages do not count.

        If a computed prefix is used up now, it need not be computed again for those that are left: so all together cost
        its tokens less.
        """
        self._renew()
        prefix = len(node.edge) // TOKEN_BYTES
        count, work, arrived = 0, 0 if node.computed else prefix, 0
        best_count = best_work = best_arrived = 0
        for number in sorted(self._classes):
            one = self._classes[number]
            count += one.count
            work += one.work
            arrived += one.arrived
            if count * best_work >= best_count * work:
                best_count, best_work, best_arrived = count, work, arrived
        spared = max(1, work - prefix) if node.computed else work
        if count * best_work > best_count * spared:
            return _Block(count, spared, arrived)
        return _Block(best_count, best_work, best_arrived)

    def _renew(self) -> None:
        for member in self._changed:
            self._drop(member, self._blocks[member])
            if isinstance(member, Node):
                block = cast("_Blocks", member.ranking).block(member)
            else:
                block = _Block(1, max(1, member.work), member.arrived)
            number = size_class(block.work / block.requests)
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
