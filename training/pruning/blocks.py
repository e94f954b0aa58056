"""The blocks to remove: by their numbers, the last ones, or those that a scan finds to cost least."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.engine.checkpoint import read_shape
from models.pruning.layer_drop import kept_layers
from schemas.errors import ConfigError
from training.components.reporting import Log
from training.judging.records import ALL
from training.pruning.runs import scan_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A choice of blocks: `6,7` or `20-27` by number, `last:8`, or `least:8` by a scan of NDCG@10 on judged queries."""

    blocks: str
    judged: Path | None = None
    postings: Path | None = None
    split: str = ALL

    def numbers(self, checkpoint: Path, progress: Log = lambda _: None) -> list[int]:
        """The block numbers for a checkpoint.

        ConfigError for blocks it does not have, or a scan without judged queries.
        """
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

    def _least(self, checkpoint: Path, count: int, progress: Log) -> list[int]:
        if self.judged is None or self.postings is None:
            raise ConfigError(f"--drop {self.blocks} measures blocks: give --judged and --postings")
        found = scan_blocks(checkpoint, self.judged, self.postings, split=self.split, progress=progress)
        return found.least(count)


def block_numbers(text: str) -> list[int]:
    """The numbers in a text such as `6,7,20-27`; ConfigError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ConfigError(f"--drop {text!r}: give block numbers such as 6,7 or 20-27")
        numbers += range(int(first), int(last) + 1) if dash else [int(first)]
    return numbers
