"""`nearline simulate` and `nearline trace`: scoring under made-up or recorded traffic, and recorded traces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nearline.cli import options, simulate_plots
from nearline.cli.from_settings import from_settings
from nearline.cli.progress import progress_display
from nearline.shown import cell
from pipeline.simulation.options import MachineOptions, PartOptions, TrafficOptions
from pipeline.simulation.report import Results, figures, markdown
from pipeline.simulation.run import Simulation
from pipeline.simulation.traces import Request, read_trace, write_trace

PLOT = "simulation.png"
SHOWN = (
    "arrived",
    "late",
    "shed",
    "failed",
    "deferred",
    "hit_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(simulate)
    app.command()(trace)


@from_settings
def simulate(
    traffic: TrafficOptions,
    machines: MachineOptions,
    parts: PartOptions,
    trace: Annotated[
        Path | None,
        typer.Argument(
            help="Trace to replay (JSON Lines, plain or .gz); without one, traffic is made up.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of report.json, report.md and the plots.")] = Path(
        "build/simulation"
    ),
    save_trace: Annotated[
        Path | None,
        typer.Option(help="Also write the requests as a trace, to replay them under other settings."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn: the same gives the same run.")] = 1,
) -> None:
    """Run scoring under a virtual clock, with the product's own cache, depth and admission control and scheduling.

    Nothing is started and no model is loaded: 15 minutes of traffic take seconds. Try a setting here before you turn it
    on: `nearline simulate --arrivals bursty --limit aimd --depth`, then without `--limit`, and compare.
    """
    console = Console()
    times, settings = machines.times(), parts.settings()

    def requests() -> Iterable[Request]:
        return traffic.requests(seed) if trace is None else read_trace(trace, traffic.sizes())

    if save_trace is not None:
        console.print(f"{write_trace(requests(), save_trace):,} requests in {save_trace}", markup=False)
    with progress_display(console, quiet=not console.is_terminal) as bar:
        task = bar.add_task("requests", total=None)
        results = Simulation(settings, times, seed).run(requests(), lambda n: bar.update(task, completed=n))
    given = {
        "trace": trace,
        "seed": seed,
        **_flat(machines),
        **_flat(parts),
        **({} if trace else _flat(traffic)),
    }
    _publish(results, given, out, console)


@from_settings
def trace(
    sizes: TrafficOptions,
    out: Annotated[Path, typer.Argument(help="File to write, gzip where its name ends in .gz.")],
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's brokers; default: the local stack's.")
    ] = None,
    schema_registry: Annotated[
        str, typer.Option(help="Confluent schema registry, if the brokers' messages need one.")
    ] = "",
    home: options.Home = None,
) -> None:
    """Write the score requests of a running system as a trace for `nearline simulate`."""
    from streaming.kafka.framing import open_codec
    from streaming.tools.traces import recorded

    with closing(open_codec(options.registry(schema_registry))) as codec:
        found = recorded(options.kafka(bootstrap, home), codec, sizes.sizes())
    Console().print(f"{write_trace(found, out):,} requests in {out}", markup=False)


def _publish(results: Results, given: dict[str, object], out: Path, console: Console) -> None:
    """Write report.json, report.md and the plots, and print the figures by class."""
    out.mkdir(parents=True, exist_ok=True)
    found = figures(results)
    shown = {name: str(value) for name, value in given.items() if value is not None}
    (out / "report.json").write_text(json.dumps({"settings": shown, **found}, indent=1) + "\n")
    plots = [PLOT] if simulate_plots.can_draw() else []
    if plots:
        simulate_plots.draw(found["series"], out / PLOT)
    (out / "report.md").write_text(markdown("Simulated scoring", found, shown, plots))
    console.print(_table(found))
    _tell(found, out, console, drawn=bool(plots))


def _tell(found: dict[str, Any], out: Path, console: Console, *, drawn: bool) -> None:
    for n, one in enumerate(found["servers"], 1):
        console.print(
            f"server {n}: {one['utilisation']:.0%} busy, {one['batches']:,} batches", highlight=False
        )
        if one["extrapolated"]:
            console.print(
                f"{one['extrapolated']:,} of its batches are larger than any that was measured: their times are extrapolated"
            )
    console.print(f"report in {out / 'report.md'}", markup=False, highlight=False)
    if not drawn:
        console.print("no plots: matplotlib is not installed (extra `bench`)", highlight=False)


def _table(found: dict[str, Any]) -> Table:
    table = Table("class", *(name.replace("_", " ") for name in SHOWN), padding=(0, 0))
    for traffic, row in found["classes"].items():
        values = (row.get(name, "") for name in SHOWN)
        table.add_row(
            cell(traffic), *(f"{one:,.2f}" if isinstance(one, float) else f"{one:,}" for one in values)
        )
    return table


def _flat(settings: Any) -> dict[str, object]:
    """The fields of a settings class, those of a class inside it beside them."""
    found: dict[str, object] = {}
    for name, value in asdict(settings).items():
        found |= value if isinstance(value, dict) else {name: value}
    return found
