"""The tree that is kept up step by step against sums that are computed anew from the requests that wait."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from models.engine.forward.plan import common_tokens
from models.engine.scheduling.member import Node, Request, packed
from models.engine.scheduling.prefix_tree import PrefixTree, common_bytes
from models.engine.scheduling.rankings import Arrivals

IDS = st.lists(st.integers(0, 2), max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), IDS, st.integers(0, 4)),
        st.tuples(st.just("remove"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("compute"), IDS, st.just(0)),
        st.tuples(st.just("forget"), st.integers(0, 12), st.just(0)),
    ),
    max_size=40,
)


def nodes(top: Node) -> Iterator[Node]:
    yield top
    for child in top.children.values():
        yield from nodes(child)


def path(node: Node) -> bytes:
    return (path(node.parent) if node.parent else b"") + node.edge


def below(place: bytes, waiting: list[Request]) -> list[Request]:
    return [request for request in waiting if request.prefix.startswith(place)]


def cost(many: list[Request], start: int, computed: set[bytes]) -> int:
    """Tokens behind `start` bytes that the requests cost together, each place of each prefix once."""
    places = {one.prefix[:end] for one in many for end in range(start + 4, len(one.prefix) + 4, 4)}
    return len(places - computed) + sum(one.own for one in many)


@given(STEPS)
def test_the_tree_is_what_a_new_one_over_the_waiting_requests_would_be(
    steps: list[tuple[str, object, int]],
) -> None:
    tree, waiting = PrefixTree(Arrivals), list[Request]()
    for clock, (what, given_value, own) in enumerate(steps):
        if what == "add":
            request = Request(prefix=packed(given_value), own=own)  # type: ignore[arg-type]
            request.order, request.arrived = clock, clock
            tree.add(request)
            waiting.append(request)
        elif what == "remove" and waiting:
            tree.remove(waiting.pop(given_value % len(waiting)))  # type: ignore[operator]
        elif what == "compute":
            tree.compute(packed(given_value))  # type: ignore[arg-type]
        elif what == "forget":
            tree.forget(given_value)  # type: ignore[arg-type]
            assert tree.computed_tokens <= given_value  # type: ignore[operator]
        check(tree, waiting)


def check(tree: PrefixTree, waiting: list[Request]) -> None:
    computed = {
        path(node)[:end] for node in tree.computed_nodes() for end in range(4, len(path(node)) + 4, 4)
    }
    assert tree.computed_tokens == len(computed)
    for node in nodes(tree.root):
        place = path(node)
        here = below(place, waiting)
        assert node.depth * 4 == len(place)
        assert (node.count, node.arrived) == (len(here), sum(one.arrived for one in here))
        assert node.own == sum(one.prefix == place for one in here)
        assert node.work == cost(here, len(place) - len(node.edge), computed)
        assert node.computed == (place in computed or not place)
        assert node.computed or node.own or len(node.children) > 1 or node is tree.root
        if here:
            assert node.ranking.first() is min(here, key=lambda one: one.order)  # type: ignore[attr-defined]
    for one in waiting:
        assert tree.uncached(one) == cost([one], 0, computed)
    matched = [len(place) for place in [b"", *computed] if below(place, waiting)]
    assert 4 * tree.deepest_computed().depth == max(matched, default=0)


@given(IDS, IDS)
def test_common_bytes_ends_at_the_first_token_that_differs(left: list[int], right: list[int]) -> None:
    """Ids whose bytes agree in part: 1 and 257, and so on."""
    left, right = [one * 256 + 1 for one in left], [one * 256 + 1 for one in right]
    assert common_bytes(packed(left), packed(right)) == 4 * common_tokens(left, right)


def test_a_prefix_used_again_is_forgotten_last_and_its_beginning_after_it() -> None:
    tree = PrefixTree(Arrivals)
    for ids in ([1, 2], [1, 3], [1, 2]):
        tree.compute(packed(ids))
    tree.forget(2)
    assert [path(node) for node in tree.computed_nodes()] == [b"", packed([1, 2]), packed([1])]
    tree.forget(1)
    assert [path(node) for node in tree.computed_nodes()] == [b"", packed([1])]
