"""Held-out queries that judge every policy and baseline of a sweep at several lengths, by one or more rankers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.prompts import Item
from models.writing import write_whole
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.compression.measured import Lengths, Measured, measured_from
from training.evaluation.domains import by_domain
from training.evaluation.scorers import LogitScorer, open_scorer
from training.evaluation.settings import EvaluationRequest, MetricConfig, RankerPlace
from training.judging.records import JudgedQuery
from training.rl.baselines.base import Shortener
from training.rl.baselines.words import Count
from training.rl.run import FileOfPostings
from training.rl.short_texts import ShortTexts, read_judged
from training.rl.sweep.settings import SweepConfig, SweepInputs

OpenScorer = Callable[[RankerPlace], LogitScorer]
Say = Callable[[str], object]
RAW_FILE = "raw.json"
FIXED = ("none", "stop-words")
"""Ways to shorten that have one length, whatever is asked; their figures stand at every share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The held-out queries, and the postings by their ids."""

    queries: Sequence[JudgedQuery]
    items: Mapping[str, Item]


class HeldOut:
    """The rankers on the held-out queries; scores on raw texts are kept in a file, since every run needs them."""

    def __init__(self, judged: Judged, rankers: Mapping[str, ShortTexts], shares: Sequence[float]) -> None:
        self._judged, self._rankers, self._shares = judged, rankers, shares

    @property
    def count(self) -> Count:
        """Lengths in the tokens of the ranker that rewards."""
        return next(iter(self._rankers.values())).count

    @property
    def items(self) -> Mapping[str, Item]:
        """All postings."""
        return self._judged.items

    def measured(self, shortener: Shortener, say: Say) -> list[Measured]:
        """A way to shorten at all lengths, by each ranker."""
        first = next(iter(self._rankers.values()))
        fixed = shortener.name in FIXED
        shares = self._shares[:1] if fixed else self._shares
        found: list[Measured] = []
        for share, texts in zip(shares, shortener.shorten_at(first.rows, shares), strict=True):
            lengths = first.lengths(texts)
            for name, judge in self._rankers.items():
                found.append(judge.measured(name, judge.result(shortener.name, texts), share, lengths))
            say(f"{shortener.name}: judged at {share:.0%} of the tokens")
        return [replace(one, share=share) for share in self._shares for one in found] if fixed else found

    def keep_raw(self, path: Path) -> None:
        """Write the scores and figures on raw texts, the ids of the queries, and the places of each domain's."""
        whole = Lengths(saved_p50=0.0, saved_p99=0.0, kept=1.0)
        rankers, queries = self._rankers.items(), self._judged.queries
        write_measured(
            path,
            [judge.measured(name, judge.raw, 1.0, whole) for name, judge in rankers],
            scores={name: [row.tolist() for row in judge.raw.scores or []] for name, judge in rankers},
            query_ids=[query.query_id for query in queries],
            domains=by_domain(queries),
        )


def open_held_out(
    config: SweepConfig,
    given: SweepInputs,
    judged: Judged,
    kept: Path,
    say: Say,
    *,
    scorers: OpenScorer = open_scorer,
) -> HeldOut:
    """Open the rankers; scores on raw texts come from `kept`, or are computed and written there."""
    raw = _raw(kept)
    if not raw:
        say(f"scoring {sum(len(query.posting_ids) for query in judged.queries)} pairs on raw text")
    rankers = {
        name: _judge(judged, place, config.evaluation.metrics, raw.get(name), scorers)
        for name, place in given.rankers.items()
    }
    held = HeldOut(judged, rankers, config.lengths)
    if not raw:
        held.keep_raw(kept)
    return held


def read_held_out(config: SweepConfig, given: SweepInputs) -> Judged:
    """Read the judged queries and all postings; ConfigError names the file or the row that is wrong."""
    request = EvaluationRequest(
        judged=given.judged, postings=given.run.postings, ranker=given.run.ranker, split=config.split
    )
    queries, items = read_judged(request)
    return Judged(queries=queries, items=items)


def check_held_out(judged: Judged, files: Sequence[FileOfPostings]) -> None:
    """Raise ConfigError if a judged posting is one that runs learn from or are chosen by."""
    read = {row.posting_id for file in files for name in ("train", "dev") for row in file.by_split[name]}
    seen = {posting for query in judged.queries for posting in query.posting_ids} & read
    if seen:
        raise ConfigError(
            f"--judged: {len(seen)} of its postings, such as {min(seen)!r}, are of companies that runs learn from: "
            "give queries that were judged on the split test of the same postings files"
        )


def write_measured(path: Path, found: Sequence[Measured], **more: Any) -> None:
    """Write figures whole or not at all, with what else is said of them."""
    write_whole(path, json.dumps({**more, "measured": [one.as_json() for one in found]}) + "\n")


def read_measured(path: Path) -> tuple[list[Measured], dict[str, Any]]:
    """The figures of such a file, and what else is said; ConfigError for another file."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return [measured_from(row, str(path)) for row in read.pop("measured")], read
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path} does not hold figures of a sweep: {error!r}; remove it to have it made anew"
        ) from error


def _judge(
    judged: Judged,
    place: RankerPlace,
    metrics: MetricConfig,
    raw: Sequence[Floats] | None,
    scorers: OpenScorer,
) -> ShortTexts:
    return ShortTexts(
        judged.queries,
        judged.items,
        place,
        metrics,
        lambda _name, _total: _silent,
        scorer=scorers(place),
        raw=raw,
    )


def _silent(_count: int) -> None:
    """Progress is told by lines."""


def _raw(kept: Path) -> dict[str, list[Floats]]:
    if not kept.is_file():
        return {}
    return {name: [np.array(row) for row in rows] for name, rows in read_measured(kept)[1]["scores"].items()}
