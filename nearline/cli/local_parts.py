"""`nearline replay --in-process`: run the system's functions in one process, for a debugger or a notebook."""

import os
from contextlib import closing
from pathlib import Path

from rich.console import Console

from models.client.embedder import open_embedder
from models.client.remote import open_ranker, open_summarizer
from nearline.cli import options
from nearline.cli.full_export import planned
from nearline.cli.reading import ReadFile
from nearline.shown import cell
from pipeline.embedding import VectorMaker
from pipeline.featurize import MAX_AHEAD_S
from pipeline.full_export import FullExport
from pipeline.local import LocalPath, LocalReport, LocalSettings
from schemas.events import read_searches
from storage.couchbase.url import with_login
from storage.opening import open_store

#: Dead letters that are told one by one.
_TOLD = 10


def replay_in_process(
    stream: ReadFile,
    searches: Path | None,
    store: str,
    models: str,
    console: Console,
    *,
    threshold: float | None = None,
    max_ahead_s: float = MAX_AHEAD_S,
    embedder: str = "",
    export: FullExport | None = None,
) -> LocalReport:
    """Replay `stream` in this process and print alerts and counts; `store` gets the same records as in a stack."""
    url = "instant:" if models == "instant" else models
    with closing(open_store(with_login(store, os.environ))) as kv:
        path = LocalPath(
            kv,
            open_summarizer(url, options.CHECKPOINTS / "summarizer-tiny"),
            open_ranker(url, options.CHECKPOINTS / "ranker-tiny"),
            LocalSettings(max_ahead_s=max_ahead_s),
            vectors=VectorMaker(open_embedder(embedder)) if embedder else None,
        )
        if threshold is None:
            threshold = options.default_threshold(
                None if url == "instant:" else options.CHECKPOINTS / "ranker-tiny"
            )
        path.subscribe(() if searches is None else read_searches(searches, threshold))
        events = stream.numbered() if export is None else planned(stream, path.features.scan, export, console)
        report = path.replay(event for _, event in events)
        features = sum(1 for _ in path.features.scan())
    _show(report, features, console)
    stream.finish()
    return report


def _show_dead_letters(report: LocalReport, console: Console) -> None:
    for number, reason in report.dead_letters[:_TOLD]:
        console.print(cell(f"dead letter: update {number}: {reason}"), soft_wrap=True)
    if len(report.dead_letters) > _TOLD:
        console.print(f"and {len(report.dead_letters) - _TOLD} more dead letters")


def _show(report: LocalReport, features: int, console: Console) -> None:
    for alert in report.alerts:
        console.print(
            cell(
                f"{alert.p_yes:.3f}  {alert.query}  →  {alert.title}, {alert.company or '–'}  ({alert.reason})"
            ),
            soft_wrap=True,
        )
    _show_dead_letters(report, console)
    outcomes = "   ".join(f"{outcome.value} {count}" for outcome, count in report.outcomes.items())
    console.print(f"updates_in {report.updates_in} = {outcomes}")
    console.print(
        f"features {features}   summarizer calls {report.summarizer_calls}   alerts {len(report.alerts)}   "
        f"candidates {dict(report.fates)}"
    )
