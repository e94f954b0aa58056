"""How a pruned checkpoint was made: its steps, in `lineage.json` for programs and in README.md for readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

FILE = "lineage.json"
PARENT_CARD = "README.parent.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageStep:
    """One step that made a checkpoint from its parent: the command, the calibration set, and the results.

    `calibration`: such as sha256, tokens, prompts, source. `figures`: name to number, as the caller measured them.
    """

    what: str
    command: str
    parent: str
    parent_sha256: str
    parameters: int = 0
    calibration: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, object] = field(default_factory=dict)


def read_steps(checkpoint: Path) -> list[dict[str, Any]]:
    """Return the steps that made a checkpoint, oldest first; ConfigError for a damaged file."""
    path = checkpoint / FILE
    if not path.is_file():
        return []
    try:
        steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
        return [dict(step) for step in steps]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no lineage: {error!r}; delete it to start anew") from error


def write_card(folder: Path, name: str, parent: Path, step: LineageStep) -> None:
    """Write lineage.json with the parent's steps and this one, README.md, and a copy of the first parent's README."""
    before = read_steps(parent)
    steps = [*before, asdict(step)]
    (folder / FILE).write_text(json.dumps({"steps": steps}, indent=2, default=dict) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(name, steps), encoding="utf-8")
    first = parent / ("README.parent.md" if before else "README.md")
    if first.is_file():
        (folder / PARENT_CARD).write_bytes(first.read_bytes())


def card(name: str, steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the model card: each step with its parent, command, calibration set and figures."""
    lines = [f"# {name}", ""]
    lines += [
        "A checkpoint made smaller in the steps below; stock loaders read it unchanged. Licence, training"
    ]
    lines += [f"and limits are those of the first parent (`{PARENT_CARD}`, where it had a card)."]
    for number, step in enumerate(steps, 1):
        lines += ["", f"## {number}. {step['what']}", ""]
        lines += [f"- parent: `{step['parent']}`, weights sha256 `{step['parent_sha256']}`"]
        lines += [f"- command: `{step['command']}`"]
        lines += [f"- parameters afterwards: {step['parameters']:,}"] if step["parameters"] else []
        lines += _table("calibration set", step["calibration"]) + _table("figure", step["figures"])
    return "\n".join(lines) + "\n"


def _table(title: str, values: Mapping[str, object]) -> list[str]:
    if not values:
        return []
    rows = [f"| {key} | {_shown(value)} |" for key, value in values.items()]
    return ["", f"| {title} | |", "|---|---|", *rows]


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")
