"""Settings of pruning runs; light, because the command line reads its options here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from models.pruning.config import CalibrationSize, MlpPruning
from schemas.settings import Option, Options
from training.judging.records import ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpRun:
    """Settings of one pruning of hidden neurons: directories, calibration data, sizes."""

    checkpoint: Annotated[Path, Option("Checkpoint directory.", metavar="DIR", positional=True)]
    out: Annotated[Path, Option("Directory to write; an older checkpoint there is replaced whole.")]
    postings: Annotated[
        Path, Option("Postings to calibrate on, JSON Lines, gzipped or not.", "--calibration")
    ]
    queries: Annotated[
        Path | None,
        Option("Their queries: JSON Lines with `query`, or a judged file; default: titles."),
    ] = None
    pruning: Annotated[MlpPruning, Options()] = field(default_factory=MlpPruning)
    size: Annotated[CalibrationSize, Options()] = field(default_factory=CalibrationSize)
    seed: Annotated[int, Option("Seed of the pairs of a query and a posting.")] = 0
    scratch: Annotated[Path | None, Option("Folder for hidden states; default: beside --out.")] = None
    in_memory: Annotated[bool, Option("Keep hidden states in memory: quicker, grows with tokens.")] = False
    name: Annotated[
        str | None,
        Option("What servers call it, such as `ranker@2`; default: the directory."),
    ] = None
    device: Annotated[str, Option("cpu or cuda.")] = "cpu"
    command: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A choice of blocks: `6,7` or `20-27` by number, `last:8`, or `least:8` by a scan of NDCG@10 on judged queries."""

    blocks: Annotated[
        str,
        Option("Without --recipe, blocks to remove: `20-27`, `last:8`, or `least:8` by a scan.", "--drop"),
    ] = ""
    judged: Annotated[Path | None, Option("Judged queries of --recipe or `least:`.")] = None
    postings: Annotated[
        Path | None, Option("Postings of the judged queries, JSON Lines, gzipped or not.")
    ] = None
    split: Annotated[str, Option("Split that `least:` is measured on.")] = ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeRun:
    """Settings of a whole recipe, given by name (`training.recipes`) or by its parts; `work`: folder of the stages."""

    mlp: MlpRun
    drop: Drop
    sft: Annotated[
        str | None,
        Option("Without --recipe, fine-tuning: a command with {checkpoint} and {out} in it."),
    ] = None
    recipe: Annotated[
        str | None,
        Option(
            "A name that `nearline train recipes` lists; it says what goes, and fine-tunes by `nearline train sft`."
        ),
    ] = None
    launcher: Annotated[
        str, Option("With --recipe, what starts a fine-tuning, such as `torchrun --nproc-per-node 8`.")
    ] = ""
    work: Annotated[Path | None, Option("Folder of the stages; default: OUT.stages.")] = None
