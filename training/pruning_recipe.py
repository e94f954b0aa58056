"""Prune -> SFT -> drop -> SFT: the paper's order (its tables 1 and 3), as stages from directory to directory.

SFT is whatever turns one checkpoint directory into another: a function, or a command with `{checkpoint}` and `{out}`
in it, so that `accelerate launch` and trainers of other environments fit. A stage whose directory is there was
finished (they are written whole), so a run that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.engine.checkpoint import read_shape
from models.pruning.layer_drop import kept_layers
from models.pruning.lineage import FILE, Step, read_steps, weights_sha256
from models.pruning.replacing import replacing
from schemas.errors import ConfigError
from training.pruning_runs import MlpRun, Progress, drop_blocks, prune_mlp, scan_blocks

Make = Callable[[Path, Path], None]
"""(checkpoint directory, directory to write)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a recipe; `name` is also its directory's."""

    name: str
    make: Make


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Which blocks go: `6,7` or `20-27` by number, `last:8`, or `least:8` by a scan of NDCG@10 on judged queries."""

    blocks: str
    judged: Path | None = None
    postings: Path | None = None

    def numbers(self, checkpoint: Path, progress: Progress = lambda _: None) -> list[int]:
        """The numbers for a checkpoint; ConfigError for blocks that it does not have, or a scan without judgements."""
        layers = read_shape(checkpoint).layers
        kind, colon, count = self.blocks.partition(":")
        if not colon:
            drop = block_numbers(self.blocks)
        elif kind not in {"last", "least"} or not count.isdecimal():
            raise ConfigError(f"--drop {self.blocks!r}: give numbers such as 6,7 or 20-27, last:8 or least:8")
        elif kind == "last" or int(count) >= layers:
            drop = list(range(layers - int(count), layers))
        else:
            drop = self._least(checkpoint, int(count), progress)
        kept_layers(layers, drop)
        return drop

    def _least(self, checkpoint: Path, count: int, progress: Progress) -> list[int]:
        if self.judged is None or self.postings is None:
            raise ConfigError(f"--drop {self.blocks} measures blocks: give --judged and --postings")
        return scan_blocks(checkpoint, self.judged, self.postings, progress=progress).least(count)


def block_numbers(text: str) -> list[int]:
    """The numbers of `6,7,20-27`; ConfigError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ConfigError(f"--drop {text!r}: give block numbers such as 6,7 or 20-27")
        numbers += range(int(first), int(last) + 1) if dash else [int(first)]
    return numbers


def stages(mlp: MlpRun, drop: Drop | None, sft: Make | None, progress: Progress) -> list[Stage]:
    """The four stages; without `sft` its two are left out, without `drop` the last two."""

    def prune(checkpoint: Path, out: Path) -> None:
        prune_mlp(replace(mlp, checkpoint=checkpoint, out=out), progress)

    made = [("mlp", prune), ("mlp-sft", sft)]
    if drop is not None:
        made += [("drop", _dropping(drop, mlp.command, progress)), ("drop-sft", sft)]
    todo = [(name, make) for name, make in made if make is not None]
    return [Stage(name=f"{number}-{name}", make=make) for number, (name, make) in enumerate(todo, 1)]


def _dropping(drop: Drop, command: str, progress: Progress) -> Make:
    def remove(checkpoint: Path, out: Path) -> None:
        numbers = drop.numbers(checkpoint, progress)
        drop_blocks(checkpoint, out, numbers, command=command, progress=progress)

    return remove


def run_stages(
    stages: Sequence[Stage],
    checkpoint: Path,
    work: Path,
    out: Path,
    *,
    name: str | None = None,
    settings: Mapping[str, object] | None = None,
    progress: Progress = lambda _: None,
) -> None:
    """Run what is not there yet, each in a directory of its own under `work`; the last one's copy is `out`, called `name`.

    ConfigError if `work` holds stages of another checkpoint or of other `settings`.
    """
    _same_recipe(work, {**(settings or {}), "weights": weights_sha256(checkpoint)})
    for stage in stages:
        made = work / stage.name
        if (made / "config.json").is_file():
            progress(f"{stage.name}: there already")
        else:
            progress(f"{stage.name}: {checkpoint} -> {made}")
            stage.make(checkpoint, made)
        checkpoint = made
    with replacing(out) as folder:
        shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
        _rename(folder, checkpoint.name, name or out.name)
        if name:
            (folder / "nearline.json").write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")


def _rename(folder: Path, stage: str, name: str) -> None:
    """The title of a card that a stage wrote is the name of what is made of it."""
    path = folder / "README.md"
    title, rest = f"# {stage}\n", path.read_text(encoding="utf-8") if path.is_file() else ""
    if rest.startswith(title):
        path.write_text(f"# {name}\n{rest.removeprefix(title)}", encoding="utf-8")


def _same_recipe(work: Path, settings: Mapping[str, object]) -> None:
    path, said = work / "recipe.json", json.dumps(settings, indent=2, default=str) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != said:
        raise ConfigError(f"{work} holds the stages of another recipe: give another --work, or delete it")
    work.mkdir(parents=True, exist_ok=True)
    path.write_text(said, encoding="utf-8")


def command(template: str) -> Make:
    """SFT as a command line with {checkpoint} and {out}; ConfigError if it fails or writes nothing."""
    for name in ("{checkpoint}", "{out}"):
        if name not in template:
            raise ConfigError(f"--sft {template!r} does not say {name}")

    def make(checkpoint: Path, out: Path) -> None:
        words = [
            word.replace("{checkpoint}", str(checkpoint)).replace("{out}", str(out))
            for word in shlex.split(template)
        ]
        status = subprocess.run(words, check=False).returncode
        if status or not (out / "config.json").is_file():
            raise ConfigError(
                f"SFT ended with status {status} and left no checkpoint in {out}: {shlex.join(words)}"
            )
        _remember(checkpoint, out, shlex.join(words))

    return make


def _remember(parent: Path, out: Path, words: str) -> None:
    """Carry the lineage over a fine-tuning that knows nothing of it."""
    if not (out / FILE).exists():
        step = Step(
            what="Fine-tuned", command=words, parent=parent.name, parent_sha256=weights_sha256(parent)
        )
        steps = [*read_steps(parent), asdict(step)]
        (out / FILE).write_text(json.dumps({"steps": steps}, indent=2) + "\n", encoding="utf-8")
