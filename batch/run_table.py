"""Find the folder of an unfinished run of the same backfill, or make a new one."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from batch.catalog import CatalogFile
from batch.settings import BackfillMode, BackfillSettings
from batch.split_folder import Folder
from storage.couchbase.url import without_login

_REPORT = "report.json"
#: Settings that must be the same for a run to go on; limits and places of output may change.
_SAME = (
    "store_url",
    "mode",
    "sample",
    "dry_run",
    "parallelism",
    "chunk_rows",
    "split_mib",
    "dead_letters",
    "reading",
)


def open_run(
    settings: BackfillSettings, files: Sequence[CatalogFile], generation: int, vector_model: str = ""
) -> Folder:
    """The folder of the unfinished run with the same settings and files, else a new one. Raises OSError.

    The summarizer's `generation` and the embedder's `vector_model` decide what is stale.
    """
    kind = f"{settings.state.rstrip('/')}/{_key(settings, files, generation, vector_model)}"
    numbers = Folder(kind).folders()
    newest = Folder(f"{kind}/{numbers[-1]}") if numbers else None
    if newest is not None and newest.read(_REPORT) is None:
        return newest
    made = Folder(f"{kind}/run-{len(numbers) + 1:04}")
    made.write("run.json", json.dumps(_shown(settings), indent=2).encode())
    return made


def close_run(run: Folder, report: bytes) -> None:
    """Mark the run as finished, so that the same command begins a new one."""
    run.write(_REPORT, report)


def _shown(settings: BackfillSettings) -> dict[str, Any]:
    """The settings without the store's login, which may change and must not be written down."""
    return asdict(settings) | {"store_url": without_login(settings.store_url)}


def _key(settings: BackfillSettings, files: Sequence[CatalogFile], generation: int, vector_model: str) -> str:
    shown = _shown(settings)
    asked = {name: shown[name] for name in _SAME}
    # without an embedder as before there were any, so that an unfinished run of that time goes on
    wanted = (
        ([generation, vector_model] if vector_model else generation)
        if settings.mode is BackfillMode.STALE
        else None
    )
    text = json.dumps([asked, [asdict(file) for file in files], wanted], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]
