"""Commands whose options are the fields of settings classes."""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from models.server import ServeConfig
from nearline.cli import serve
from nearline.cli.from_settings import from_settings
from schemas.settings import Option, Options, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    items: Annotated[int, Option("Items.", "--max-items", at_least=1)] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    place: Annotated[Path, Option("Place.", positional=True)]
    out: Annotated[str, Option("Out.")]
    rate: Annotated[float, Option("Rate.", "--max-rate", also=("--rate",))] = 0.0
    kind: Annotated[Literal["a", "b"], Option("Kind.")] = "a"
    quick: Annotated[bool, Option("Quick.")] = False
    data: Annotated[Path | None, Option("Data.", env="RUN_DATA")] = None
    hidden: Annotated[str, Option("For tests.", hidden=True)] = ""
    limits: Annotated[Limits, Options("Limits")] = field(default_factory=Limits)
    made_by: str = ""


app = typer.Typer()


@app.command()
@from_settings
def whole(run: Run, twice: bool = False) -> None:
    """Print the settings."""
    typer.echo(json.dumps({**asdict(run), "twice": twice}, default=str))


@app.command()
@from_settings
def partly(run: partial[Run], out: Annotated[str, typer.Option(help="Another out.")] = "decided") -> None:
    """Print the settings, with what the command decides."""
    typer.echo(json.dumps(asdict(run(out=out, made_by="partly")), default=str))


def printed(*argv: str, **env: str) -> dict[str, Any]:
    made = CliRunner().invoke(app, argv, env=env, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def test_options_reach_their_fields_and_the_rest_keeps_its_defaults() -> None:
    found = printed("whole", "here", "--out", "o", "--rate", "2", "--max-items", "7", "--quick", "--twice")
    assert found == {
        "place": "here", "out": "o", "rate": 2.0, "kind": "a", "quick": True, "data": None, "hidden": "",
        "limits": {"items": 7}, "made_by": "", "twice": True,
    }  # fmt: skip


def test_a_parameter_with_an_options_name_replaces_it_and_the_command_fills_the_rest() -> None:
    assert printed("partly", "here")["out"] == "decided"
    found = printed("partly", "here", "--out", "given")
    assert (found["out"], found["made_by"]) == ("given", "partly")


def test_a_variable_counts_where_the_option_is_not_given() -> None:
    assert printed("whole", "here", "--out", "o", RUN_DATA="d")["data"] == "d"


@pytest.mark.parametrize(
    "argv",
    [
        ["here"],
        ["here", "--out", "o", "--kind", "c"],
        ["here", "--out", "o", "--max-items", "0"],
        ["here", "--out", "o", "--no-quick"],
        ["--out", "o"],
    ],
)
def test_a_bad_command_line_ends_with_status_2(argv: list[str]) -> None:
    assert CliRunner().invoke(app, ["whole", *argv]).exit_code == 2


def test_the_help_tells_meaning_and_heading_and_hides_what_is_for_tests() -> None:
    text = CliRunner().invoke(app, ["whole", "--help"], env={"COLUMNS": "200"}).stdout
    assert "Print the settings." in text
    assert "Limits" in text
    assert "--rate" in text
    assert "--hidden" not in text


def test_nearline_serve_has_every_option_of_the_model_server_with_its_default() -> None:
    one = typer.Typer()
    serve.register(one)
    params: list[Any] = get_command(one).params
    found = {param.opts[0]: param.default for param in params}
    wanted = {row.names[0]: row.default for row in rows(ServeConfig)}
    assert "--max-bodies-bytes" in wanted
    assert {name: found.get(name, "absent") for name in wanted} == wanted
