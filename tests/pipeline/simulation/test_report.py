from array import array

import pytest

from pipeline.simulation.outcomes import Ending, Tally, quantiles
from pipeline.simulation.report import figures, markdown
from pipeline.simulation.series import Series
from tests.pipeline.simulation.parts import everything, run, traffic


def test_percentiles_are_by_nearest_rank() -> None:
    found = quantiles(array("d", range(100)))
    assert (found["p50"], found["p95"], found["p99"], found["mean"]) == (50, 95, 99, 49.5)
    assert quantiles(array("d")) == {}


def test_only_answers_have_a_latency() -> None:
    tally = Tally()
    for ending in Ending:
        tally.end(ending, 1.0, 0.5)
    assert tally.ended == len(Ending)
    assert list(tally.latencies_s) == [0.5, 0.5]


def test_a_span_is_shared_between_the_steps_it_lies_in() -> None:
    series = Series(2.0)
    series.cover("busy", 1.0, 5.0)
    assert series.lines(5.0)["busy"] == pytest.approx([0.5, 1.0, 0.5])


def test_a_noted_value_holds_until_the_next() -> None:
    series = Series(1.0)
    series.note("depth", 1.5, 7.0)
    series.note("depth", 3.0, 9.0)
    assert series.lines(4.0)["depth"] == [0.0, 7.0, 7.0, 9.0, 9.0]


def test_the_report_of_a_run_has_every_class_and_adds_up() -> None:
    trace = traffic(60.0, rate=60.0)
    found = figures(run(everything(), trace))
    assert list(found["classes"]) == ["online", "nearline", "all"] or set(found["classes"]) == {
        "online",
        "nearline",
        "all",
    }
    assert (
        found["classes"]["all"]["arrived"]
        == len(trace)
        == sum(found["series"]["arrived online"] + found["series"]["arrived nearline"])
    )
    assert 0 < found["servers"][0]["utilisation"] <= 1
    assert max(found["series"]["busy"]) <= 1 + 1e-9
    assert found["counters"]["cache hits"] > 0
    assert 0 < max(found["series"]["hit rate"]) <= 1


def test_the_page_shows_figures_settings_and_plots() -> None:
    page = markdown("Simulated", figures(run(everything(), traffic(20.0))), {"seed": 1}, ["plot.png"])
    assert page.startswith("# Simulated\n")
    assert "| online |" in page
    assert "| seed | 1 |" in page
    assert "![plot.png](plot.png)" in page
