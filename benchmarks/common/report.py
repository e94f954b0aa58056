"""Write a benchmark's results as JSON and as a Markdown page, with the machine and versions they were measured on."""

import datetime as dt
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
PACKAGES = (
    "apache-flink",
    "kafka-python",
    "confluent-kafka",
    "quixstreams",
    "fastavro",
    "lmdb",
    "pyarrow",
    "pandas",
)

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Results of one benchmark. `tables`: title → rows with the same columns; `detail`: for the JSON only."""

    name: str
    title: str
    settings: Mapping[str, object]
    tables: Mapping[str, Sequence[Row]]
    findings: Sequence[str] = ()
    plots: Sequence[str] = ()
    detail: Mapping[str, object] = field(default_factory=dict)


def write(result: Result, folder: Path = FOLDER, conditions: Mapping[str, object] | None = None) -> Path:
    """Write `NAME.json` and `NAME.md` into `folder`; returns the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    where = dict(conditions or measured_on())
    data = {
        "name": result.name,
        "measured_on": where,
        "settings": dict(result.settings),
        "tables": result.tables,
        "findings": list(result.findings),
        **result.detail,
    }
    (folder / f"{result.name}.json").write_text(json.dumps(data, indent=1, default=str) + "\n")
    path = folder / f"{result.name}.md"
    path.write_text(markdown(result, where))
    return path


def say(line: str) -> None:
    """Print a line of progress with the time."""
    print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {line}", flush=True)


def markdown(result: Result, where: Mapping[str, object]) -> str:
    """The Markdown page of one benchmark."""
    lines = [f"# {result.title}", ""]
    lines += [f"- {finding}" for finding in result.findings]
    for title, rows in result.tables.items():
        lines += ["", f"## {title}", "", *table(rows)]
    lines += [line for plot in result.plots for line in ("", f"![{plot}]({plot})")]
    lines += [
        "",
        "## Measured on",
        "",
        *table([{"what": name, "value": value} for name, value in where.items()]),
    ]
    lines += ["", "## Settings", ""]
    lines += table([{"setting": name, "value": value} for name, value in result.settings.items()])
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of a Markdown table; raises ValueError when rows have different columns."""
    if not rows:
        return ["(nothing)"]
    names = list(rows[0])
    if any(list(row) != names for row in rows):
        raise ValueError(f"rows of one table have the same columns, first {names}")
    lines = [_line(names), _line("---:" if _is_number(rows[0][name]) else "---" for name in names)]
    return lines + [_line(_cell(row[name]) for name in names) for row in rows]


def measured_on() -> dict[str, object]:
    """Hardware, versions, commit, command and date of this process."""
    commit = _output("git", "rev-parse", "--short", "HEAD")
    changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": _output("java", "-version").partition("\n")[0],
        "packages": ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
        "commit": f"{commit}{' with changes' if changed else ''}",
        "command": command("benchmarks", sys.argv[1:]),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def command(module: str, argv: Sequence[str]) -> str:
    """The command line `python -m MODULE ARGV`; absolute paths, which are one machine's, are cut to their last name."""
    words = [f".../{Path(word).name}" if Path(word).is_absolute() else word for word in argv]
    return shlex.join(("python", "-m", module, *words))


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _output(*command: str) -> str:
    """The output of a command, its standard error when it writes nothing else; "" when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip()
