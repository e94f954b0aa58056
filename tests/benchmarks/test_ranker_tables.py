"""The steps behind `make bench-ranker`."""

from pathlib import Path

from benchmarks.ranker_tables import STAGES, RankerTables, steps
from training.evaluation.paper.tables import DENSE, SCAN, TABLES

WORK = Path("work")


def run() -> RankerTables:
    return RankerTables(
        ranker=Path("dense"),
        postings={"health": Path("h.jsonl.gz"), "technology": Path("t.jsonl.gz")},
        titles={"onet": Path("o.jsonl.gz")},
        work=WORK,
        page=Path("page.md"),
    )


def test_a_step_reads_only_what_came_before() -> None:
    there = {run().catalog, run().judged, WORK / "minilm", WORK / "stages"}
    there |= {WORK / "stages" / stage for stage in STAGES.values()}
    made: set[Path] = set()
    for out, command in steps(run()):
        own = {Path(word) for word in command if Path(word).is_relative_to(WORK)}
        assert own <= there | made | {out}
        if out.name in {f"{row}.json" for row in STAGES}:
            assert WORK / "small" in made
        made.add(out)


def test_every_row_that_is_made_is_a_row_of_the_page() -> None:
    known = {row.file for table in TABLES for row in table.rows} | {SCAN}
    made = {out.stem for out, _ in steps(run()) if out.suffix == ".json"}
    assert made <= known
    assert made == {DENSE, SCAN, *STAGES}
