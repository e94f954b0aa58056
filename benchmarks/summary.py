"""`python -m benchmarks.summary`: write the figures of `docs/benchmarks/README.md` from the JSON files beside it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.report import FOLDER

PAGE = FOLDER / "README.md"
BEGIN = "<!-- figures: written by `make bench-figures`, do not edit -->"
END = "<!-- end of figures -->"
#: Of a benchmark with many cases those that the table shows, by how their findings begin.
SHOWN = {"engine": ("pruned-summary,", "pruned-unequal,", "tiny-summary,")}


def main() -> None:
    """Write the figures into the page."""
    PAGE.write_text(renewed(PAGE.read_text(), FOLDER))


def renewed(page: str, folder: Path) -> str:
    """`page` with the figures of `folder` between its markers; ends the process when they are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE.name} lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{figures(folder)}\n{END}{after}"


def figures(folder: Path) -> str:
    """A row for each finding of each benchmark, and the machines."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    head = ["| benchmark | figure | date, commit |", "|---|---|---|"]
    return "\n".join([*head, *(row for one in found for row in _rows(one)), "", *_machines(found)]) + "\n"


def _rows(result: dict[str, Any]) -> Iterator[str]:
    name, where = result["name"], result["measured_on"]
    shown = [one for one in result["findings"] if one.startswith(SHOWN.get(name, ""))]
    for number, finding in enumerate(shown):
        link, when = ("", "") if number else (f"[{name}]({name}.md)", f"{where['date']}, {where['commit']}")
        yield f"| {link} | {finding.rstrip('.').replace('|', chr(92) + '|')} | {when} |"


def _machines(found: list[dict[str, Any]]) -> Iterator[str]:
    """Who was measured on what."""
    machines: dict[str, list[str]] = {}
    for one in found:
        where = one["measured_on"]
        machines.setdefault(f"{where['cores']} cores of {where['processor']}", []).append(one["name"])
    for machine, names in machines.items():
        yield f"- {machine}: {', '.join(names)}"


if __name__ == "__main__":
    main()
