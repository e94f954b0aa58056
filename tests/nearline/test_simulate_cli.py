"""`nearline simulate` writes a report and plots, the same for the same seed, and refuses bad input by its name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app, run

QUICK = ["simulate", "--seconds", "20", "--items", "20", "--queries", "100", "--page", "10"]
BURSTY = [
    "--arrivals",
    "bursty",
    "--limit",
    "gradient",
    "--depth",
    "--depth-floor",
    "5",
    "--depth-most",
    "20",
]


def report(out: Path, *options: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*QUICK, "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads((out / "report.json").read_text())
    return found


def test_a_run_leaves_report_page_and_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = report(tmp_path, *BURSTY)
    assert {"online", "nearline", "all"} <= found["classes"].keys()  # type: ignore[attr-defined]
    assert (tmp_path / "simulation.png").read_bytes().startswith(b"\x89PNG")
    assert "![simulation.png]" in (tmp_path / "report.md").read_text()


def test_the_same_options_give_the_same_report(tmp_path: Path) -> None:
    assert report(tmp_path / "a", *BURSTY) == report(tmp_path / "b", *BURSTY)
    assert report(tmp_path / "a") != report(tmp_path / "b", "--seed", "2")


def test_a_saved_trace_gives_the_same_classes(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl.gz"
    made = report(tmp_path / "a", "--save-trace", str(trace))
    assert report(tmp_path / "b", str(trace))["classes"] == made["classes"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--machine", "h100"], "'h100' has no measured throughput"),
        (["--online-rate", "0", "--nearline-rate", "0"], "no request would arrive"),
        (["--online-rate", "nan"], "the rate is nan"),
        (["--depth", "--depth-floor", "30", "--depth-most", "20"], "floor"),
        (["--depth", "--depth-ki", "30"], "cannot be stable"),
        (["--limit", "aimd", "--nearline-per-s", "0"], "rate_per_s is 0"),
        (["--limit", "aimd", "--limit-bound-s", "nan"], "bound_s is nan"),
        (["--score-ttl-s", "0"], "ttl_s must be above 0"),
        (["no-such-file.jsonl"], "no-such-file.jsonl"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*QUICK, "--out", str(tmp_path), *options])
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
