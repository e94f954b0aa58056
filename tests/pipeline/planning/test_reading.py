"""Files of offers: the shipped ones hold this project's measurements, wrong ones are refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from nearline.cli.plan import EXAMPLES, OFFERS
from pipeline.planning.offers import Offer
from pipeline.planning.problem import pose
from pipeline.planning.reading import read_catalog
from pipeline.planning.techniques import cases
from schemas.errors import ConfigError

ENGINE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "benchmarks" / "engine.json").read_text()
)["tables"]
SUMMARY, FULL = "10 items of 220 tokens, 70 of them shared", "2 items of 900 tokens, 70 of them shared"
GOOD = '[[class]]\nname = "a"\nitems_per_s = 1\n[[offer]]\nname = "o"\nprice_per_hour = 1\n'
MEASURED = '[[offer.measured]]\nitems_per_s = 1\ncommand = "c"\n'


def engine(title: str, dtype: str = "int8") -> float:
    rows = [row for row in ENGINE[title] if row.get("contender", row.get("server")).startswith("ours")]
    return float(next(row["items/s"] for row in rows if row["dtype"] == dtype))


def offers(name: str) -> tuple[Offer, ...]:
    return read_catalog(OFFERS / f"{name}.toml").offers


def rates(name: str) -> list[float]:
    return [way.items_per_s for offer in offers(name) for way in offer.measured]


def test_throughputs_of_the_shipped_examples_are_those_of_the_benchmark() -> None:
    assert rates("shipped") == pytest.approx(
        [
            engine(f"Poisson arrivals: tiny shape, {SUMMARY}", "float32"),
            engine(f"The shipped model's shape, {SUMMARY}"),
            engine(f"The shipped model's shape, {SUMMARY}, without AVX-512"),
        ],
        rel=1e-3,
    )
    assert rates("pruned") == pytest.approx(
        [engine(f"Pruned shape, {SUMMARY}"), engine(f"Pruned shape, {SUMMARY}, without AVX-512")], rel=1e-3
    )


def test_factors_of_our_own_are_those_of_the_benchmark() -> None:
    factors = {one.name: one.factor for one in read_catalog(OFFERS / "pruned.toml").techniques}
    full = engine(f"Pruned shape, {FULL}")
    assert factors["pruning"] == pytest.approx(full / engine(f"Dense shape, {FULL}"), rel=1e-3)
    assert factors["summaries"] == pytest.approx(engine(f"Pruned shape, {SUMMARY}") / full, rel=1e-3)
    gain = next(rows for title, rows in ENGINE.items() if title.startswith("Pruned shape: 10 items of 200"))
    assert gain[2]["dtype"] == "int8"
    assert gain[2]["gain"].startswith(f"{factors['prefix sharing']:.2f} (")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_shipped_example_gives_a_problem_and_marks_its_prices(name: str) -> None:
    catalog = read_catalog(OFFERS / f"{name}.toml")
    assert pose(catalog.demands, catalog.offers).variants
    assert all(one.example for one in catalog.offers)


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    found = {
        "class": [{"name": "a", "items_per_s": 1}],
        "offer": [{"name": "o", "price_per_hour": 1, "measured": [{"items_per_s": 1, "command": "c"}]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(found))
    (tmp_path / "a.toml").write_text(GOOD + MEASURED)
    assert read_catalog(tmp_path / "a.json") == read_catalog(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "there is no offer"),
        (GOOD, "offer 'o' has no measured throughput"),
        ("[[offer]", "cannot be read"),
        (GOOD.replace("= 1\n", "= true\n", 1) + MEASURED, "class 'a': items_per_s is True: give a number"),
        (GOOD.replace('name = "o"', "name = 3") + MEASURED, "offer: name is 3: give a text"),
        (GOOD.replace("price_per_hour = 1", "") + MEASURED, "offer 'o': price_per_hour is missing"),
        (GOOD.replace("hour = 1", "hour = nan") + MEASURED, "offer 'o': price_per_hour must be .*nan"),
        (GOOD.replace("hour = 1", "hour = -2") + MEASURED, "offer 'o': price_per_hour must be .*-2"),
        (GOOD + "at_most = 1.5\n" + MEASURED, "offer 'o': at_most is 1.5: give a whole number"),
        (GOOD + "cost = 1\n" + MEASURED, "offer 'o': unknown field 'cost'; there are name, price_per_hour"),
        (GOOD + 'measured = "fast"\n', r"offer 'o': measured is 'fast': give a list of tables"),
        (GOOD + MEASURED.replace('"c"', '" "'), "offer 'o': give the command that measured 1 items/s"),
        (GOOD + MEASURED + 'uses = ["magic"]\n', r"offer 'o' uses 'magic', which is no \[\[technique\]\]"),
        (
            GOOD + MEASURED + '[[technique]]\nname = "t"\nfactor = 0\nsource = "s"\n',
            "technique 't': factor must be",
        ),
        (GOOD + MEASURED + "[[machine]]\n", "unknown field 'machine'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_the_table_and_the_field(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "offers.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named) as caught:
        read_catalog(path)
    assert str(path) in str(caught.value)


def test_a_technique_that_is_not_in_use_costs_its_factor_whether_it_was_measured_with_it_or_not() -> None:
    catalog = read_catalog(OFFERS / "published.toml")
    found = {
        case.name: case.offers[0].measured[0].items_per_s
        for case in cases(catalog.offers, catalog.techniques)
    }
    every = found["with all techniques"]
    assert every == 4000.0, "2000 items/s, and the cache halves the demand"
    assert {name: round(every / rate, 3) for name, rate in found.items() if name.startswith("without ")} == {
        **{f"without {one.name}": one.factor for one in catalog.techniques},
        "without any": round(1.273 * 3.643 * 1.33 * 2 * 1.25, 3),
    }
