"""The last stage of a search: the order in which scored postings are shown, as a protocol with the plain one."""

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from pipeline.search.results import Ranked


class Placing(Protocol):
    """Decides the order in which the postings of one search are shown."""

    def place(self, ranked: Sequence[Ranked], shown: int) -> list[Ranked]:
        """All of `ranked` (best first, all scored) in the order to show; the first `shown` are the first page."""
        ...


class ByRelevance(Placing):
    """Shows the best first, without promotions."""

    @override
    def place(self, ranked: Sequence[Ranked], shown: int) -> list[Ranked]:
        """The order as it is."""
        del shown
        return list(ranked)
