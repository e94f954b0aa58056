"""`nearline demo --check`: the demo's alerts in one process, without Kafka or Flink, judged by the sample's pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from models.ranker import Ranker
from models.summarizer import Summarizer
from nearline.demo.pairs import AlertCheck, JudgedAlertPair, PairKey
from nearline.shown import cell
from pipeline.local import LocalPath, LocalSettings
from schemas.events import BrokenLine
from schemas.records import Alert, PostingUpdate, SavedSearch
from storage.memory import MemoryStore

BATCH = 25
"""Updates processed at once: what the demo sends in a second."""


def alerts_of(
    searches: Sequence[SavedSearch],
    events: Iterable[PostingUpdate | BrokenLine],
    summarizer: Summarizer,
    ranker: Ranker,
) -> list[Alert]:
    """All alerts of these events, by the functions that the demo's processes run."""
    path = LocalPath(MemoryStore(time.time), summarizer, ranker, LocalSettings(batch_size=BATCH))
    path.subscribe(searches)
    return path.replay(events).alerts


def show(found: AlertCheck, pairs: Mapping[PairKey, JudgedAlertPair], console: Console) -> None:
    """Print wrong alerts and why they are wrong, what was missed, and the share of right ones."""
    for alert in sorted(found.wrong, key=lambda alert: -alert.p_yes):
        why = pairs[alert.search_id, alert.posting_id].why
        console.print(
            cell(f"wrong   {alert.p_yes:.3f}  {alert.query}  →  {alert.title}: {why}"), soft_wrap=True
        )
    for pair in found.missed:
        console.print(cell(f"missed  {pair.search_id}  →  {pair.posting_id}: {pair.why}"), soft_wrap=True)
    console.print(
        f"{len(found.right)} right, {len(found.wrong)} wrong, {len(found.either)} that may alert, "
        f"{len(found.unjudged)} not judged, {len(found.missed)} missed: {found.precision:.3f} of the judged are right",
        soft_wrap=True,
    )


def pairs_beside(searches: Path) -> Path:
    """The judgements of a file of saved searches: `pairs.jsonl` in its folder."""
    return searches.with_name("pairs.jsonl")
