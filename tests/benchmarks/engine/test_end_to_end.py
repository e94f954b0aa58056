"""A whole small run: a random tiny shape, ours and the padded batch, in processes of their own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.engine import closed, page
from benchmarks.engine.cases import Case
from benchmarks.engine.fleet import Fleet
from benchmarks.engine.peers import EngineSetup
from benchmarks.engine.shapes import shape_of, write
from benchmarks.engine.workload import equal

SHAPE = replace(shape_of("tiny"), layers=1, hidden=64, heads=2, kv_heads=1, head_dim=32, mlp=64)
CASE = Case(
    name="small",
    title="A small case",
    shape="small",
    load=equal(3, 24, 8),
    contenders=("ours:float32", "hf-padded:float32", "nobody:float32"),
    rounds=2,
)


@pytest.fixture
def setup(tmp_path: Path) -> EngineSetup:
    write(tmp_path / "small", SHAPE, "small")
    return EngineSetup(
        path=tmp_path / "small", device="cpu", threads=1, logs=tmp_path / "logs", product=(64, 64, 64)
    )


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_a_run_measures_in_turns_agrees_with_the_reference_and_lists_who_is_absent(
    setup: EngineSetup, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    with Fleet(setup, SHAPE, CASE.contenders) as fleet:
        *_, found = closed.measure(fleet, CASE)
        assert fleet.absent.keys() == {"nobody:float32"}
    assert {name: len(seconds) for name, seconds in found["seconds"].items()} == {
        "ours:float32": 2,
        "hf-padded:float32": 2,
    }
    assert max(found["differences"].values()) < 1e-5
    run = {"commit": "abc", "date": "today", "load_before": 0.0, "command": "a test"}
    entry = {"title": CASE.title, "kind": CASE.kind, "run": run, "absent": fleet.absent, **found}
    page.publish(tmp_path, {"small": entry}, {"threads": 1}, run)
    assert page.read(tmp_path) == json.loads(json.dumps({"small": entry}))
    assert (tmp_path / "engine-cases.png").stat().st_size > 1000
