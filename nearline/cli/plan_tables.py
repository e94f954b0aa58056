"""Tables of `nearline plan`."""

from collections.abc import Sequence

from rich.table import Table

from nearline.shown import cell
from pipeline.planning.offers import UNBOUNDED_MS, Offer
from pipeline.planning.plan import Plan


def machine_table(found: Plan, offers: Sequence[Offer]) -> Table:
    """A row for each offer and way of running that the mix has machines of."""
    table = Table(
        "machines",
        "offer",
        "at p95 of",
        "items/s",
        "price/h",
        title="the least expensive mix",
        title_justify="left",
    )
    ways = {one.name: one.measured for one in offers}
    for one in found.machines:
        table.add_row(
            f"{one.machines:,}",
            cell(one.offer),
            bound(ways[one.offer][one.way].bound_ms),
            rate(one.items_per_s),
            money(one.price_per_hour),
        )
    return table


def class_table(found: Plan, bounds_ms: Sequence[float]) -> Table:
    """A row for each class: what it needs together with stricter ones, and what machines that keep its bound give."""
    table = Table(
        "class", "p95 bound", "needs, with stricter ones", "has", title="classes", title_justify="left"
    )
    problem = found.problem
    rows = zip(problem.classes, bounds_ms, problem.needs, problem.capacities(found.counts), strict=True)
    for name, bound_ms, need, has in rows:
        table.add_row(cell(name), bound(bound_ms), rate(need), rate(has))
    return table


def technique_table(rows: Sequence[tuple[str, Plan]]) -> Table:
    """A row for each case, with its machines and price, and how often the price of the first."""
    table = Table("case", "machines", "price/h", "times the first", title="techniques", title_justify="left")
    first = rows[0][1].price_per_hour
    for name, one in rows:
        times = f"{one.price_per_hour / first:.2f}" if first else "–"
        table.add_row(cell(name), f"{sum(one.counts):,}", money(one.price_per_hour), times)
    return table


def trace_line(required: float, unshaped: float) -> str:
    """What a trace requires, with and without work that waits."""
    return (
        f"the trace requires {rate(required)} items/s while work waits up to its class's bound, "
        f"{rate(unshaped)} if nothing waited longer than the strictest bound"
    )


def bound(bound_ms: float) -> str:
    """A latency bound, or that there is none."""
    return "any" if bound_ms == UNBOUNDED_MS else f"{bound_ms:,.0f} ms"


def rate(items_per_s: float) -> str:
    """Items a second with at most one digit after the point."""
    return f"{items_per_s:,.0f}" if items_per_s >= 1000 else f"{items_per_s:,.1f}"


def money(price: float) -> str:
    """A price in whatever currency the file's prices are."""
    return f"{price:,.2f}"
