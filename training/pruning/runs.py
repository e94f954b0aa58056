"""Pruning of a checkpoint directory into another, called by `nearline prune` and by the stages of a recipe."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.prompts import Prompter
from models.pruning import checkpoint as checkpoints
from models.pruning.calibration import CalibrationSet, prompts_of
from models.pruning.layer_drop import drop_layers, kept_layers
from models.pruning.lineage import LineageStep
from models.pruning.mlp import LayerReport, prune_mlps
from models.pruning.sensitivity import Scan, scan
from models.pruning.states import FileStates, MemoryStates, States
from models.weights_hash import weights_sha256
from training.components.reporting import Log
from training.judging.records import ALL
from training.pruning import data
from training.pruning.settings import MlpRun


def prune_mlp(run: MlpRun, progress: Log = lambda _: None) -> list[LayerReport]:
    """Prune hidden neurons and write `run.out`.

    On ConfigError, which names the setting or file, `out` stays as it was.
    """
    prompter = Prompter.from_dir(run.checkpoint)
    source = checkpoints.load(run.checkpoint, run.device)
    pairs = data.pairs(run.postings, run.queries, run.seed)
    calibration = CalibrationSet(prompts_of(pairs, prompter), run.size)
    with _states(run) as states:
        reports = prune_mlps(
            source.model, calibration, states, run.pruning, dtype=source.dtype, progress=progress
        )
    step = _step(
        source,
        f"{run.pruning.keep:.0%} of the MLP's hidden neurons kept (OSSCAR, {run.pruning.osscar.step} a step)",
        run.command,
        calibration={
            "postings": run.postings.name,
            "queries": run.queries.name if run.queries else "titles",
            "tokens": calibration.tokens,
            "prompts": calibration.prompts,
            "sha256 of the token ids": calibration.sha256,
        },
        figures={f"error of layer {r.layer}": r.error for r in reports} | dict(run.figures),
    )
    checkpoints.save(source, run.out, step, name=run.name)
    progress(f"{run.out}: {step.parameters:,} parameters")
    return reports


@contextmanager
def _states(run: MlpRun) -> Iterator[States]:
    """The store of hidden states between layers: a file in a temporary folder, or memory."""
    if run.in_memory:
        yield MemoryStates()
        return
    scratch = run.scratch or run.out.resolve().parent
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="states-", dir=scratch) as folder,
        FileStates(Path(folder) / "states") as states,
    ):
        yield states


def drop_blocks(
    checkpoint: Path,
    out: Path,
    drop: Sequence[int],
    *,
    name: str | None = None,
    command: str = "",
    figures: Mapping[str, object] | None = None,
    progress: Log = lambda _: None,
) -> list[int]:
    """Write the checkpoint without the blocks `drop`; returns the numbers of those that stay."""
    source = checkpoints.load(checkpoint)
    kept = kept_layers(len(source.model.model.layers), drop)
    drop_layers(source.model, drop)
    what = f"blocks {', '.join(map(str, sorted(drop)))} removed, {len(kept)} stay"
    step = _step(source, what, command, figures=figures or {})
    checkpoints.save(source, out, step, name=name)
    progress(f"{out}: {step.parameters:,} parameters")
    return kept


def scan_blocks(
    checkpoint: Path,
    judged: Path,
    postings: Path,
    *,
    split: str = ALL,
    device: str = "cpu",
    progress: Log = lambda _: None,
) -> Scan:
    """Measure NDCG@10 of each query with each block removed in turn."""
    source = checkpoints.load(checkpoint, device)
    queries = data.judged_queries(judged, postings, split)
    return scan(source.model, data.ndcgs(queries, Prompter.from_dir(checkpoint)), progress)


def _step(
    source: checkpoints.LoadedCheckpoint,
    what: str,
    command: str,
    *,
    calibration: Mapping[str, object] | None = None,
    figures: Mapping[str, object] | None = None,
) -> LineageStep:
    return LineageStep(
        what=what,
        command=command,
        parent=source.path.resolve().name,
        parent_sha256=weights_sha256(source.path),
        parameters=checkpoints.parameters(source.model),
        calibration=calibration or {},
        figures=figures or {},
    )
