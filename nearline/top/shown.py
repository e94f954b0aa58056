"""Figures as short texts; a dash for what no process shows."""

NONE = "–"


def number(value: float | None) -> str:
    """A rate or a count, with fewer digits the larger it is."""
    if value is None:
        return NONE
    return (
        f"{value:,.0f}"
        if value >= 100 or value == round(value)
        else f"{value:.1f}"
        if value >= 1
        else f"{value:.2f}"
    )


def count(value: float | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A time in milliseconds below a second, else in seconds."""
    if value is None:
        return NONE
    return f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.0f} s"


def share(part: float, whole: float) -> str:
    """A share in per cent; a dash of nothing."""
    return f"{part / whole:.0%}" if whole > 0 else NONE
