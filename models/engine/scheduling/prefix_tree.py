"""A radix tree over the token ids of the prompts that wait, kept up with each arrival and departure.

An arrival costs its prefix's length and a departure the number of its ancestors, however many requests wait. A node
stays while a request waits at or below it, or while its prefix is computed. The tree is told what is computed
(`compute`, `forget`), because only an engine knows what it can use again: prefixes of one batch, or of a cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from models.engine.scheduling.member import GONE, TOKEN_BYTES, Node, Ranking, Request


def common_bytes(left: bytes, right: bytes) -> int:
    """Return the length, in bytes of whole tokens, of the prefix that two packed prompts share."""
    most = min(len(left), len(right))
    differ = int.from_bytes(left[:most], "little") ^ int.from_bytes(right[:most], "little")
    if not differ:
        return most
    lowest_bit = (differ & -differ).bit_length() - 1
    return lowest_bit // (8 * TOKEN_BYTES) * TOKEN_BYTES


class PrefixTree:
    """Waiting requests by prefix; `new_ranking` makes the order that a policy keeps of each node's members."""

    def __init__(
        self, new_ranking: Callable[[], Ranking], changed: Callable[[Node], None] | None = None
    ) -> None:
        """`changed` is called after a node's prefix has become computed, or has been forgotten."""
        self._new_ranking, self._changed = new_ranking, changed
        self.root = Node(None, b"", new_ranking())
        self._computed: OrderedDict[Node, None] = OrderedDict()
        """Computed nodes, the least recently used first; a node comes before its ancestors."""
        self._deepest: list[tuple[int, int, Node]] = []
        """A heap of computed nodes: each is entered when it has become computed, or a request has come below it."""
        self._entered = 0
        self.computed_tokens = 0
        """Tokens of all prefixes that are computed."""

    def add(self, request: Request) -> None:
        """Take in a request."""
        node = self._place(request.prefix)
        request.parent = node
        node.own += 1
        above: Node | None = node
        while above is not None:
            above.ranking.came(request)
            above = above.parent
        node.ranking.put(request)
        self._climb(node, 1, request.own, request.arrived)

    def remove(self, request: Request) -> None:
        """Take out a request; raises ValueError if it does not wait here."""
        node = request.parent
        if node is None:
            raise ValueError("the request does not wait in this tree")
        request.parent, request.stamp = None, GONE
        node.own -= 1
        node.ranking.gone(request)
        self._climb(node, -1, -request.own, -request.arrived)
        self._prune(node)

    def uncached(self, request: Request) -> int:
        """Return the tokens that must be computed if this request is taken now."""
        node = request.parent
        below = node.depth if node else 0
        while node is not None and not node.computed:
            node = node.parent
        return request.own + below - (node.depth if node else 0)

    def compute(self, prefix: bytes) -> None:
        """Note that this prefix is computed, or is used again."""
        self._compute(self._place(prefix))

    def compute_for(self, request: Request) -> None:
        """Note that the prefix of a request that waits is computed, or is used again."""
        if request.parent is not None:
            self._compute(request.parent)

    def _compute(self, end: Node) -> None:
        path = self._touch(end)
        for node in reversed(path):
            if not node.computed:
                self._set_computed(node, computed=True)

    def forget(self, keep_tokens: int = 0) -> None:
        """Forget the prefixes used longest ago until no more than so many tokens are computed."""
        while self.computed_tokens > keep_tokens:
            node, _ = self._computed.popitem(last=False)
            self._set_computed(node, computed=False)
            self._prune(node)

    def deepest_computed(self) -> Node:
        """Return the node of the longest computed prefix below which a request waits; the root if there is none."""
        while self._deepest:
            node = self._deepest[0][2]
            if node.computed and node.count:
                return node
            heappop(self._deepest)
        return self.root

    def computed_nodes(self) -> Iterator[Node]:
        """Yield the nodes whose prefixes are computed, the root and its empty prefix first."""
        yield self.root
        yield from self._computed

    def _place(self, prefix: bytes) -> Node:
        """Return the node of a prefix, which is made if it is not there."""
        node, at, end = self.root, 0, len(prefix)
        while at < end:
            child = node.children.get(prefix[at : at + TOKEN_BYTES])
            if child is None:
                return self._grow(node, prefix[at:])
            if not prefix.startswith(child.edge, at):
                child = self._split(child, common_bytes(child.edge, prefix[at:]))
            node, at = child, at + len(child.edge)
        return node

    def _grow(self, parent: Node, edge: bytes) -> Node:
        node = Node(parent, edge, self._new_ranking())
        parent.children[edge[:TOKEN_BYTES]] = node
        self._climb(node, 0, len(edge) // TOKEN_BYTES, 0)
        return node

    def _split(self, node: Node, at: int) -> Node:
        """Put a node into the middle of this node's edge, after `at` bytes, and return it."""
        parent = node.parent
        if parent is None:
            raise ValueError("the root has no edge to split")
        upper = Node(parent, node.edge[:at], node.ranking.above())
        parent.children[upper.edge[:TOKEN_BYTES]] = upper
        upper.children[node.edge[at : at + TOKEN_BYTES]] = node
        upper.count, upper.work, upper.arrived, upper.computed = (
            node.count,
            node.work,
            node.arrived,
            node.computed,
        )
        node.parent, node.edge = upper, node.edge[at:]
        if node.computed:
            self._touch(upper)
            self._enter(upper)
        else:
            node.work -= at // TOKEN_BYTES
        if node.count:
            parent.ranking.gone(node)
            upper.ranking.put(node)
            parent.ranking.put(upper)
        return upper

    def _prune(self, node: Node) -> None:
        """Take out this node and its ancestors as far as nothing needs them."""
        while not (node.computed or node.own):
            parent = node.parent
            if parent is None:
                return
            if node.children:
                self._merge(node, parent)
                return
            del parent.children[node.edge[:TOKEN_BYTES]]
            node.stamp = GONE
            self._climb(parent, 0, -(len(node.edge) // TOKEN_BYTES), 0)
            node = parent

    def _merge(self, node: Node, parent: Node) -> None:
        """Join a node that has nothing but one child to that child."""
        if len(node.children) > 1:
            return
        (child,) = node.children.values()
        parent.children[node.edge[:TOKEN_BYTES]] = child
        child.parent, child.edge = parent, node.edge + child.edge
        child.work += len(node.edge) // TOKEN_BYTES
        node.stamp = GONE
        parent.ranking.gone(node)
        parent.ranking.put(child)

    def _touch(self, node: Node) -> list[Node]:
        """Make a node and its ancestors the most recently used, and return them, the root left out."""
        path: list[Node] = []
        one: Node = node
        while one.parent is not None:
            self._computed[one] = None
            self._computed.move_to_end(one)
            path.append(one)
            one = one.parent
        return path

    def _set_computed(self, node: Node, *, computed: bool) -> None:
        tokens = len(node.edge) // TOKEN_BYTES
        node.computed = computed
        self.computed_tokens += tokens if computed else -tokens
        if computed:
            self._enter(node)
        self._climb(node, 0, -tokens if computed else tokens, 0)
        if self._changed:
            self._changed(node)

    def _enter(self, node: Node) -> None:
        self._entered += 1
        heappush(self._deepest, (-node.depth, self._entered, node))

    def _climb(self, start: Node, count: int, work: int, arrived: int) -> None:
        """Add to the sums of a node and of its ancestors, and let each be ranked anew."""
        node: Node | None = start
        while node is not None:
            if node.computed and not node.count and count:
                self._enter(node)
            node.count += count
            node.work += work
            node.arrived += arrived
            parent = node.parent
            if not node.count:
                node.stamp = GONE
            if parent is not None and node.count:
                parent.ranking.put(node)
            elif parent is not None and count:
                parent.ranking.gone(node)
            node = parent
