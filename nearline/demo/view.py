"""The texts and tables of the demo: its progress, and its closing figures."""

from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table

from nearline.demo.alerts import alert_table
from nearline.demo.report import DemoReport, percentiles
from streaming.tools.observer import Seen

_NEWEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a demo has come; `summarized`: the texts that its model server has written, None if that is not known."""

    seen: Seen
    sent: int
    total: int
    elapsed_s: float
    summarized: int | None = None

    @property
    def lag(self) -> int:
        """Updates that were sent and have no outcome yet."""
        return self.sent - len(self.seen.outcomes)

    @property
    def texts(self) -> str:
        """The texts summarized, which grow under a slow model while no outcome comes; empty if they are not known."""
        return "" if self.summarized is None else f"   texts summarized {self.summarized}"


def line(now: Progress) -> str:
    """The progress in one line, for logs."""
    seen = now.seen
    return (
        f"{now.elapsed_s:.0f} s   sent {now.sent}/{now.total}   outcomes {len(seen.outcomes)}{now.texts}"
        f"   features {len(seen.feature_ms)}   alerts {len(seen.alerts)}   lag {now.lag}"
    )


def live(now: Progress, *, width: int) -> RenderableType:
    """Progress, outcomes, latencies and the newest alerts."""
    seen, done = now.seen, len(now.seen.outcomes)
    rate = done / now.elapsed_s if now.elapsed_s else 0.0
    progress = (
        f"sent [bold]{now.sent}[/]/{now.total}   done [bold]{done}[/]{now.texts}"
        f"   lag {now.lag}   {rate:.0f}/s   {now.elapsed_s:.0f} s"
    )
    counts = "   ".join(f"{name} {count}" for name, count in seen.counts().items() if count)
    times = f"update → feature {_ms(seen.feature_ms)}   update → alert {_ms(seen.alert_ms)}"
    newest = list(seen.alerts.values())[-_NEWEST:]
    table = alert_table(newest, title=f"{len(seen.alerts)} alerts, the newest", width=width)
    return Group(progress, counts, times, table)


def closing(console: Console, report: DemoReport) -> None:
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
    console.print(report.scoring.line(), highlight=False, soft_wrap=True)


def _ms(values: list[int]) -> str:
    found = percentiles(values)
    return f"p50 {found['p50']} ms, p95 {found['p95']} ms" if values else "–"
