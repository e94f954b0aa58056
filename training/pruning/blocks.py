"""The blocks to remove: by their numbers, the last ones, or those that a scan finds to cost least."""

from __future__ import annotations

from pathlib import Path

from models.engine.checkpoint import read_shape
from models.pruning.layer_drop import kept_layers
from schemas.errors import ConfigError
from training.components.reporting import Log
from training.pruning.runs import scan_blocks
from training.pruning.settings import Drop


def dropped(drop: Drop, checkpoint: Path, progress: Log = lambda _: None) -> list[int]:
    """The numbers of the blocks to remove from a checkpoint.

    ConfigError for blocks that it does not have, or a scan without judged queries.
    """
    layers = read_shape(checkpoint).layers
    kind, colon, count = drop.blocks.partition(":")
    if not colon:
        numbers = block_numbers(drop.blocks)
    elif kind not in {"last", "least"} or not count.isdecimal():
        raise ConfigError(f"--drop {drop.blocks!r}: give numbers such as 6,7 or 20-27, last:8 or least:8")
    elif kind == "last" or int(count) >= layers:
        numbers = list(range(layers - int(count), layers))
    else:
        numbers = _least(drop, checkpoint, int(count), progress)
    kept_layers(layers, numbers)
    return numbers


def _least(drop: Drop, checkpoint: Path, count: int, progress: Log) -> list[int]:
    if drop.judged is None or drop.postings is None:
        raise ConfigError(f"--drop {drop.blocks} measures blocks: give --judged and --postings")
    return scan_blocks(checkpoint, drop.judged, drop.postings, split=drop.split, progress=progress).least(
        count
    )


def block_numbers(text: str) -> list[int]:
    """The numbers in a text such as `6,7,20-27`; ConfigError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ConfigError(f"--drop {text!r}: give block numbers such as 6,7 or 20-27")
        numbers += range(int(first), int(last) + 1) if dash else [int(first)]
    return numbers
