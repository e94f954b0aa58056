"""`nearline plan`: a table, JSON, the exact optimum, techniques and examples; what is wrong is one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nearline.cli.app import app
from nearline.cli.plan import EXAMPLES, OFFERS
from pipeline.planning.reading import read_catalog
from schemas.errors import ConfigError


def invoked(*words: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, words)], catch_exceptions=False)


def nearline(*words: object) -> str:
    result = invoked(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_example_is_planned_and_its_prices_are_called_examples() -> None:
    said = nearline("--exact")
    assert "2 cores with AVX-512" in said
    assert "exact optimum" in said
    assert "examples: put your own in the file" in said


def test_an_example_is_printed_as_a_file_that_can_be_planned(tmp_path: Path) -> None:
    assert EXAMPLES == ("pruned", "published", "shipped")
    for name in EXAMPLES:
        (tmp_path / "offers.toml").write_text(nearline("--example", name))
        assert read_catalog(tmp_path / "offers.toml") == read_catalog(OFFERS / f"{name}.toml")
    with pytest.raises(ConfigError, match="there are pruned, published, shipped"):
        invoked("--example", "none")


def test_a_demand_on_the_command_line_takes_the_place_of_the_files() -> None:
    few, many = (
        json.loads(nearline("--json", "--demand", f"online={items}"))["classes"][0] for items in (1, 2000)
    )
    assert (few["class"], few["needed_with_stricter"], many["needed_with_stricter"]) == (
        "online",
        1.0,
        2000.0,
    )


def test_techniques_are_compared_with_the_machines_that_each_saves(tmp_path: Path) -> None:
    (tmp_path / "offers.toml").write_text(nearline("--example", "published"))
    found = json.loads(nearline(tmp_path / "offers.toml", "--techniques", "--json"))
    machines = {name: sum(one["machines"] for one in case["machines"]) for name, case in found.items()}
    assert machines["with all techniques"] == 788
    assert machines["without score cache"] == 1575


def test_a_trace_is_planned_for_what_it_requires_and_says_what_waiting_saves(tmp_path: Path) -> None:
    rows = [{"at": float(at), "class": "online", "query": at, "items": 100} for at in range(20)]
    rows.insert(11, {"at": 10.0, "class": "nearline", "query": "burst", "items": 9000})
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    said = nearline("--trace", trace, "--json")
    needs = {one["class"]: one["needed_with_stricter"] for one in json.loads(said)["classes"]}
    assert needs["online"] == pytest.approx(200.0), "100 items within half a second"
    assert needs["nearline"] == pytest.approx((9000 + 10 * 100) / 30)
    with pytest.raises(ConfigError, match="no mix can meet class 'online'"):
        invoked("--trace", trace, "--spare", "0.99")
    assert "the trace requires 333.3 items/s while work waits" in " ".join(nearline("--trace", trace).split())
    with pytest.raises(ConfigError, match="--demand and --trace"):
        invoked("--trace", trace, "--demand", "online=1")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--demand", "offline=1"], "the file has the classes online, nearline, refresh"),
        (["--demand", "online=many"], "give a number of items a second after the ="),
        (["--demand", "online=nan"], "--demand online=nan: items a second must be"),
        (["--demand", "online=100000"], "no mix can meet class 'online'"),
        (["--techniques"], r"the file has no \[\[technique\]\]"),
        (["no-such.toml"], "no-such.toml: cannot be read"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        invoked(*words)
