"""Several orders of the same postings as one: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

from collections.abc import Iterable, Sequence

#: How little a place near the top counts more than the next one.
K = 60


def fused(orders: Iterable[Sequence[int]]) -> dict[int, float]:
    """For each row of the orders (best first) the sum of 1 / (K + place), the highest first, then the lower row.

    Places alone count, because BM25 and similarities have no common scale.
    """
    total: dict[int, float] = {}
    for order in orders:
        for place, row in enumerate(order, 1):
            total[row] = total.get(row, 0.0) + 1 / (K + place)
    return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))
