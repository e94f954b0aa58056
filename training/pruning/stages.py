"""The pruning recipe, prune -> SFT -> drop -> SFT (the paper's tables 1 and 3), as stages from directory to directory.

SFT is any function from a checkpoint directory to another, or a command with `{checkpoint}` and `{out}`, so that
`accelerate launch` and trainers of other environments can be used. A stage's directory appears only when it is
complete; a run that was interrupted therefore continues with the first stage whose directory is missing.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.pruning.lineage import FILE, LineageStep, write_card
from models.weights_hash import weights_sha256
from models.writing import replacing
from schemas.errors import ConfigError
from training import recipes
from training.components.reporting import Log
from training.pruning.blocks import dropped
from training.pruning.runs import drop_blocks, prune_mlp
from training.pruning.settings import Drop, MlpRun, RecipeRun

Make = Callable[[Path, Path], None]
"""Makes a checkpoint: called with the directory to read and the directory to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a recipe; its directory is called `name`."""

    name: str
    make: Make


def run_recipe(run: RecipeRun, progress: Log = lambda _: None) -> None:
    """Run the recipe from `run.mlp.checkpoint` to `run.mlp.out`; ConfigError names a setting that cannot work."""
    mlp = replace(run.mlp, name=None)
    if run.recipe is None:
        drop, sft = run.drop if run.drop.blocks else None, command(run.sft) if run.sft else None
        made = stages(mlp, drop, sft, progress)
    else:
        made = stages_of(run.recipe, mlp, run.drop, _named_sft(run), progress)
    out = run.mlp.out
    settings = replace(run, work=None, mlp=replace(mlp, out=Path(), command=""))
    work = run.work or out.with_name(f"{out.name}.stages")
    run_stages(
        made, mlp.checkpoint, work, out, name=run.mlp.name, settings=asdict(settings), progress=progress
    )


def _named_sft(run: RecipeRun) -> Callable[[int], Make]:
    judged, postings = run.drop.judged, run.drop.postings
    if judged is None or postings is None:
        raise ConfigError(f"--recipe {run.recipe} fine-tunes: give --judged and --postings")
    if run.sft or run.drop.blocks:
        raise ConfigError(
            f"--recipe {run.recipe} says itself how to fine-tune and what to drop: leave --sft and --drop out"
        )
    return lambda number: train_sft(str(run.recipe), number, judged, postings, run.launcher)


def stages(mlp: MlpRun, drop: Drop | None, sft: Make | None, progress: Log) -> list[Stage]:
    """The four stages; without `sft` the two fine-tunings are left out, without `drop` the last two stages."""
    made = [("mlp", _pruning(mlp, progress)), ("mlp-sft", sft)]
    if drop is not None:
        made += [("drop", _dropping(drop, mlp.command, progress)), ("drop-sft", sft)]
    todo = [(name, make) for name, make in made if make is not None]
    return [Stage(name=f"{number}-{name}", make=make) for number, (name, make) in enumerate(todo, 1)]


def stages_of(name: str, mlp: MlpRun, drop: Drop, sft: Callable[[int], Make], progress: Log) -> list[Stage]:
    """The stages of a recipe of `training.recipes`, whose shares, tokens and blocks replace those of `mlp` and `drop`.

    `sft(number)` makes the number-th fine-tuning of the recipe, from 1.
    """
    made, tunings = [], 0
    for number, work in enumerate(recipes.recipe(name).works, 1):
        if isinstance(work, recipes.PruneMlp):
            run = replace(
                mlp,
                pruning=replace(mlp.pruning, keep=1 - work.share),
                size=replace(mlp.size, tokens=work.calibration_tokens),
            )
            made.append(Stage(name=f"{number}-mlp", make=_pruning(run, progress)))
        elif isinstance(work, recipes.DropBlocks):
            blocks = replace(drop, blocks=f"{work.which}:{work.count}")
            made.append(Stage(name=f"{number}-drop", make=_dropping(blocks, mlp.command, progress)))
        else:
            tunings += 1
            made.append(Stage(name=f"{number}-sft", make=sft(tunings)))
    return made


def train_sft(name: str, work: int, judged: Path, postings: Path, launcher: str) -> Make:
    """`nearline train sft` for one fine-tuning of a recipe, by a launcher such as `torchrun --nproc-per-node 8`."""
    start = f"{launcher} " if launcher else f"{shlex.quote(sys.executable)} "
    files = f"--judged {shlex.quote(str(judged))} --postings {shlex.quote(str(postings))}"
    return command(
        f"{start}-m nearline train sft --recipe {name} --work {work} {files} "
        "--model {checkpoint} --out {out}.run --best-to {out} --resume"
    )


def _pruning(run: MlpRun, progress: Log) -> Make:
    def prune(checkpoint: Path, out: Path) -> None:
        prune_mlp(replace(run, checkpoint=checkpoint, out=out), progress)

    return prune


def _dropping(drop: Drop, command: str, progress: Log) -> Make:
    def remove(checkpoint: Path, out: Path) -> None:
        numbers = dropped(drop, checkpoint, progress)
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
    progress: Log = lambda _: None,
) -> None:
    """Run the stages whose directories under `work` are missing, then copy the last one to `out` under the name `name`.

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
    """Give the model card that a stage wrote the title `name`."""
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
    """Write lineage and card for a trainer that writes no lineage; the trainer's own card becomes README.sft.md."""
    if (out / FILE).exists():
        return
    if (out / "README.md").exists():
        (out / "README.md").rename(out / "README.sft.md")
    step = LineageStep(
        what="Fine-tuned", command=words, parent=parent.name, parent_sha256=weights_sha256(parent)
    )
    write_card(out, out.name, parent, step)
