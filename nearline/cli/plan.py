"""`nearline plan`: the least expensive machines that serve a demand."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from nearline.cli.plan_tables import class_table, machine_table, money, technique_table, trace_line
from nearline.shown import cell
from pipeline.planning.offers import Catalog, Demand, Offer, not_negative
from pipeline.planning.plan import Plan, plan
from pipeline.planning.problem import pose
from pipeline.planning.reading import read_catalog
from pipeline.planning.required import Arrival, required_rates, unshaped_rate, with_means
from pipeline.planning.techniques import Case, cases
from pipeline.simulation.traces import Request, read_trace
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass

OFFERS = Path(__file__).parents[1] / "sample" / "offers"
NO_LENGTHS = Request(0.0, TrafficClass.ONLINE, "", (), 0, 1.0, 1.0)
"""Stands for the lengths and deadlines that a trace may leave out: planning does not look at them."""
EXAMPLES = tuple(sorted(path.stem for path in OFFERS.glob("*.toml")))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("plan")(show_plan)


def show_plan(
    offers: Annotated[
        Path | None,
        typer.Argument(
            help="File of traffic classes and offers, TOML or JSON (`--example` prints one); default: the "
            "example of the shipped ranker."
        ),
    ] = None,
    *,
    demand: Annotated[
        list[str] | None,
        typer.Option(
            help="Items a second of a class, such as online=900, in the place of the file's; may be given again.",
            metavar="CLASS=ITEMS_PER_S",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Requests as `nearline simulate` reads them: what they require within each class's bound takes the place "
            "of the file's demands."
        ),
    ] = None,
    spare: Annotated[
        float, typer.Option(help="Share of each machine that is left free, for failures and growth.")
    ] = 0.0,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Also ask an exact solver (extra `plan`), and show the gap to its optimum."
        ),
    ] = False,
    techniques: Annotated[
        bool,
        typer.Option(
            "--techniques", help="What the demand takes with and without each [[technique]] of the file."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the annealing; the same seed gives the same plan.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    example: Annotated[
        str, typer.Option(help=f"Print an example file and stop: {', '.join(EXAMPLES)}.", metavar="NAME")
    ] = "",
) -> None:
    """Find the least expensive mix of machines that serves a demand within its latency bounds.

    A file says which traffic classes there are (p95 bound, items a second) and which machine types may be had: price
    an hour, how many at most, and the throughput that was MEASURED on one at which bound. A type without a measured
    throughput is refused. Simulated annealing searches the mixes; with --exact an exact solver checks the result.

        nearline plan --example shipped > offers.toml    # then put your prices in
        nearline plan offers.toml --demand online=2000 --spare 0.2 --exact

    Exit status 2: a wrong file or a demand that no mix can meet; the message names the class or the offer.
    """
    if example:
        typer.echo(_example(example), nl=False)
        return
    catalog, console = read_catalog(offers or OFFERS / "shipped.toml"), Console()
    asked = _asked(catalog, demand or (), trace, None if as_json else console)._replace(
        spare=spare, seed=seed, exact=exact
    )
    if techniques:
        compared = [(case.name, asked.plan(case.offers)) for case in _cases(catalog)]
        _print_compared(compared, catalog, console, as_json=as_json)
        return
    found = asked.plan(catalog.offers)
    if as_json:
        typer.echo(json.dumps(found.figures(), indent=2))
    else:
        _print(found, asked.demands, catalog, console)


class _Asked(NamedTuple):
    """What a plan has to reach, and how it is made."""

    demands: Sequence[Demand]
    together: Sequence[float] = ()
    spare: float = 0.0
    seed: int = 1
    exact: bool = False

    def plan(self, offers: Sequence[Offer]) -> Plan:
        """The plan with these offers."""
        problem = pose(self.demands, offers, together=self.together, spare=self.spare)
        return plan(problem, self.seed, check=self.exact)


def _cases(catalog: Catalog) -> Iterator[Case]:
    if not catalog.techniques:
        raise ConfigError(
            "--techniques: the file has no [[technique]]; `nearline plan --example pruned` shows some"
        )
    return cases(catalog.offers, catalog.techniques)


def _print(found: Plan, demands: Sequence[Demand], catalog: Catalog, console: Console) -> None:
    """Print the mix, what each class gets, the price and, if it was asked for, the exact optimum."""
    console.print(machine_table(found, catalog.offers))
    console.print(class_table(found, sorted(one.bound_ms for one in demands)))
    console.print(f"price {money(found.price_per_hour)} an hour{_example_note(catalog)}", highlight=False)
    if found.gap is not None:
        console.print(f"exact optimum {money(found.exact or 0.0)} an hour: {found.gap:+.2%}", highlight=False)


def _print_compared(
    compared: Sequence[tuple[str, Plan]], catalog: Catalog, console: Console, *, as_json: bool
) -> None:
    """Print what each case takes, and where each technique's factor is from."""
    if as_json:
        typer.echo(json.dumps({name: found.figures() for name, found in compared}, indent=2))
        return
    console.print(technique_table(compared))
    for one in catalog.techniques:
        console.print(cell(f"{one.name}: factor {one.factor:g} ({one.source})"), soft_wrap=True)
    if note := _example_note(catalog):
        console.print(f"prices are{note.removeprefix(',')}", highlight=False)


def _example_note(catalog: Catalog) -> str:
    return ", examples: put your own in the file" if any(one.example for one in catalog.offers) else ""


def _example(name: str) -> str:
    if name not in EXAMPLES:
        raise ConfigError(f"--example {name!r}: there are {', '.join(EXAMPLES)}")
    return (OFFERS / f"{name}.toml").read_text(encoding="utf-8")


def _asked(catalog: Catalog, given: Sequence[str], trace: Path | None, console: Console | None) -> _Asked:
    """The demands of the file, of the command line or of a trace, about which a line is printed."""
    if trace is None:
        return _Asked(_demands(catalog, given))
    if given:
        raise ConfigError("--demand and --trace: give one of the two")
    requests = read_trace(trace, NO_LENGTHS)
    arrivals = [Arrival(one.at, one.traffic.label, len(one.candidates)) for one in requests]
    together = required_rates(arrivals, catalog.demands)
    if console is not None:
        line = trace_line(together[-1], unshaped_rate(arrivals, catalog.demands))
        console.print(line, highlight=False, soft_wrap=True)
    return _Asked(with_means(catalog.demands, arrivals), together)


def _demands(catalog: Catalog, given: Sequence[str]) -> list[Demand]:
    """The file's classes with the demands of the command line; ConfigError for an option that names none of them."""
    names = [one.name for one in catalog.demands]
    for option in given:
        if option.partition("=")[0] not in names:
            raise ConfigError(
                f"--demand {option}: the file has the classes {', '.join(names)}; give CLASS=ITEMS_PER_S"
            )
    return [_with_given(one, given) for one in catalog.demands]


def _with_given(one: Demand, given: Sequence[str]) -> Demand:
    for option in given:
        name, _, number = option.partition("=")
        if name == one.name:
            return replace(one, items_per_s=_number(option, number))
    return one


def _number(option: str, number: str) -> float:
    try:
        return not_negative(f"--demand {option}: items a second", float(number))
    except ValueError:
        raise ConfigError(f"--demand {option}: give a number of items a second after the =") from None
