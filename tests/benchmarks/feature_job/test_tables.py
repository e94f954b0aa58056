from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.common.sampling import Sample, cpu_between, during
from benchmarks.common.updates import Feed
from benchmarks.feature_job.breakdown import Breakdown, breakdown
from benchmarks.feature_job.runs import Run
from benchmarks.feature_job.tables import MEMORY_PLOT, JobResults, cpu, findings, memory, plot, speeds, tables


def sample(outputs: int, private: float = 100.0) -> Sample:
    return Sample(
        at_s=outputs / 100,
        outputs=outputs,
        cpu_s={"Python": outputs / 1000},
        private={"Python": private, "broker": 50.0},
        mapped={"Python": float(outputs), "broker": 1.0},
        store=float(outputs),
    )


def run(contender: str, rate: float, sync: str = "commit") -> Run:
    return Run(
        contender=contender,
        sync=sync,
        outputs=1_000_000,
        rate=rate,
        cpu_us={"Python": 80.0, "broker": 9.0},
        store_digest="",
        samples=[sample(n * 100_000, 100.0 + n) for n in range(11)],
    )


FOUND = JobResults(
    own=["ours"],
    sweep=[run("ours", 9_000.0), run("ours, other", 8_000.0)],
    runs=[run("ours", 9_000.0), run("peer", 10_000.0), run("ours", 11_000.0), run("peer", 8_000.0)],
    inside={"commit": Breakdown(wall_us=90.0, cpu_us=70.0, stages_us={"merge": 30.0})},
)


def test_contenders_stand_fastest_first_with_their_ratio_to_ours() -> None:
    rows = speeds(FOUND.runs, "ours")
    assert [(row["contender"], row["median"], row["to_ours"]) for row in rows] == [
        ("ours", 10_000.0, 1.0),
        ("peer", 9_000.0, 0.9),
    ]


def test_the_broker_s_time_is_no_part_of_a_contender_s_total() -> None:
    assert [row["total"] for row in cpu(FOUND.runs)] == [80.0, 80.0]


def test_growing_memory_shows_as_growth_for_a_million_records() -> None:
    (python, _) = memory(FOUND)
    assert python["growth_mib"] == pytest.approx(10.0)
    assert python["mapped_end_mib"] == 1_000_000.0


def test_findings_name_the_ratio_to_the_best_peer_and_that_of_each_repetition() -> None:
    assert "1.11 (0.90 to 1.38) × the best peer (peer, 9,000/s)" in findings(FOUND)[0]
    once = replace(FOUND, runs=FOUND.runs[:2])
    assert "0.90 × the best peer (peer, 10,000/s)" in findings(once)[0]


def test_without_a_peer_the_findings_name_the_speed_alone() -> None:
    own = [one for one in FOUND.runs if one.contender in FOUND.own]
    (first, *_) = findings(replace(FOUND, runs=own))
    assert first.endswith("records/s.")


def test_settings_that_were_left_out_have_no_finding_and_no_table() -> None:
    left_out = replace(FOUND, sweep=[])
    assert not any("settings" in one for one in [*findings(left_out), *tables(left_out)])


def test_every_table_has_rows() -> None:
    made = tables(FOUND)
    assert len(made) == 6
    assert all(made.values())


def test_plots_are_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    names = plot(FOUND, tmp_path)
    assert MEMORY_PLOT in names
    assert all((tmp_path / name).stat().st_size > 1_000 for name in names)


def test_processor_time_is_counted_between_first_and_last_output() -> None:
    samples = [sample(n) for n in (0, 0, 10, 20, 30, 30)]
    busy = during(samples, 1, 30)
    assert [one.outputs for one in busy] == [10, 20, 30]
    assert cpu_between(busy) == {"Python": pytest.approx(0.02)}


@pytest.mark.timeout(60)
def test_a_breakdown_s_stages_add_up_to_its_time(tmp_path: Path) -> None:
    found = breakdown(Feed(updates=1_500), "os", 200, tmp_path / "store")
    assert sum(found.stages_us.values()) == pytest.approx(found.wall_us)
    assert "merge" in found.stages_us
