"""The profiler names a stage by the end of a file's path, so each path has to exist."""

from pathlib import Path

from benchmarks.common.stages import STAGES

ROOT = Path(__file__).parents[3]


def test_every_file_that_the_profiler_knows_exists() -> None:
    assert [file for file, _ in STAGES if not (ROOT / file).is_file()] == []


def test_every_function_that_the_profiler_knows_is_defined_in_its_file() -> None:
    named = [(file, name) for file, name in STAGES if name]
    assert [pair for pair in named if f"def {pair[1]}(" not in (ROOT / pair[0]).read_text()] == []
