import gzip
from pathlib import Path

import pytest

from pipeline.simulation.traces import Request, read_trace, write_trace
from schemas.errors import TraceError
from schemas.traffic import TrafficClass
from tests.pipeline.simulation.parts import traffic

SIZES = Request(0.0, TrafficClass.NEARLINE, "", range(0), 70, 150.0, 60.0)
GOOD = '{"at": 1.5, "class": "online", "query": "nurse", "items": 3}'


def lines_of(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.gz"])
def test_a_trace_reads_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    trace = traffic(20.0)
    trace.append(trace[-1]._replace(candidates=("a@1", "b@7")))
    assert write_trace(trace, tmp_path / name) == len(trace) > 100
    assert list(read_trace(tmp_path / name, SIZES)) == trace


def test_a_gzip_trace_is_one(tmp_path: Path) -> None:
    write_trace(traffic(1.0), tmp_path / "trace.gz")
    assert gzip.decompress((tmp_path / "trace.gz").read_bytes()).startswith(b'{"at": ')


def test_what_a_line_lacks_is_the_defaults(tmp_path: Path) -> None:
    [found] = read_trace(lines_of(tmp_path / "t", GOOD, ""), SIZES)
    assert found == Request(1.5, TrafficClass.ONLINE, "nurse", range(3), 70, 150.0, 60.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"at": 1.0, "class": "online", "query": "q", "items": 3}', "comes after 1.5: sort the trace"),
        ('{"at": NaN, "class": "online", "query": "q", "items": 3}', "at is nan: give a finite number"),
        (
            '{"at": 2, "class": "online", "query": "q", "items": 3, "item_tokens": Infinity}',
            "item_tokens is inf",
        ),
        ('{"at": 2, "class": "batch", "query": "q", "items": 3}', "'batch' is no traffic class"),
        ('{"at": 2, "class": "online", "query": "q", "items": 0}', "items is 0: give at least 1"),
        ('{"at": 2, "class": "online", "query": "q"}', "items is missing"),
        ('{"at": 2, "class": "online", "query": "q", "candidates": []}', "at least one"),
        ('{"at": 2, "class": "online", "items": 3}', "query is None"),
        ('{"at": 2, "class": "online", "query": "q", "items": 3, "deadline_s": 0}', "deadline_s is 0"),
        ('{"at": 2, "class": "online", "query": "q", "items": 3, "item": 1}', "unknown field 'item'"),
        ("[]", "not a JSON object"),
        ("{", "Expecting property name"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(TraceError, match=f"trace.jsonl, line 2: .*{said}"):
        list(read_trace(lines_of(tmp_path / "trace.jsonl", GOOD, line), SIZES))


def test_a_trace_out_of_order_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"request 2 at .* follows one at"):
        write_trace(list(reversed(traffic(5.0)))[:2], tmp_path / "trace.jsonl")
