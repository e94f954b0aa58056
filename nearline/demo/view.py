"""The texts and tables of the demo: its progress, and its closing figures."""

from rich.console import Console, Group, RenderableType
from rich.table import Table

from nearline.demo.alerts import alert_table
from nearline.demo.report import Report, percentiles
from streaming.tools.observer import Seen

_NEWEST = 6


def line(seen: Seen, sent: int, total: int, elapsed_s: float) -> str:
    """The progress in one line, for logs; `lag`: updates that were sent and have no outcome yet."""
    done = len(seen.outcomes)
    return (
        f"{elapsed_s:.0f} s   sent {sent}/{total}   outcomes {done}   features {len(seen.feature_ms)}"
        f"   alerts {len(seen.alerts)}   lag {sent - done}"
    )


def live(seen: Seen, sent: int, total: int, elapsed_s: float, *, width: int) -> RenderableType:
    """Progress, outcomes, latencies and the newest alerts."""
    done = len(seen.outcomes)
    rate = done / elapsed_s if elapsed_s else 0.0
    progress = f"sent [bold]{sent}[/]/{total}   done [bold]{done}[/]   lag {sent - done}   {rate:.0f}/s   {elapsed_s:.0f} s"
    counts = "   ".join(f"{name} {count}" for name, count in seen.counts().items() if count)
    times = f"update → feature {_ms(seen.feature_ms)}   update → alert {_ms(seen.alert_ms)}"
    newest = list(seen.alerts.values())[-_NEWEST:]
    table = alert_table(newest, title=f"{len(seen.alerts)} alerts, the newest", width=width)
    return Group(progress, counts, times, table)


def closing(console: Console, report: Report) -> None:
    """Print the alerts, by search, and then the figures."""
    alerts = sorted(report.seen.alerts.values(), key=lambda alert: (alert.query, -alert.p_yes))
    console.print(alert_table(alerts, title=f"{len(alerts)} alerts", width=console.width))
    table = Table("figure", "value", title="closing figures", title_justify="left")
    for name, value in report.figures().items():
        if name != "outcomes":
            table.add_row(name, str(value))
    console.print(table)
    total = sum(report.seen.counts().values())
    verdict = (
        "[green]adds up[/]"
        if not report.unexplained
        else f"[red]{report.unexplained} updates have no outcome[/]"
    )
    console.print(f"outcomes {total} of {report.updates_in} updates: {verdict}")


def _ms(values: list[int]) -> str:
    found = percentiles(values)
    return f"p50 {found['p50']} ms, p95 {found['p95']} ms" if values else "–"
