"""Which run goes on: what was asked, over which files, decides whether a folder holds its beginning."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from batch.catalog import CatalogFile
from batch.settings import BackfillSettings, Mode
from batch.split_folder import Folder
from storage.couchbase.url import without_login

_REPORT = "report.json"
#: What decides whether a run that was begun is the one asked for; limits and places of output may change.
_SAME = ("store_url", "mode", "sample", "dry_run", "parallelism", "chunk_rows", "split_mib", "dead_letters")


def open_run(settings: BackfillSettings, files: Sequence[CatalogFile], generation: int) -> Folder:
    """The folder of the same run's unfinished beginning, else a new one. Raises OSError where none can be made."""
    kind = f"{settings.state.rstrip('/')}/{_key(settings, files, generation)}"
    numbers = Folder(kind).folders()
    newest = Folder(f"{kind}/{numbers[-1]}") if numbers else None
    if newest is not None and newest.read(_REPORT) is None:
        return newest
    made = Folder(f"{kind}/run-{len(numbers) + 1:04}")
    made.write("run.json", json.dumps(_shown(settings), indent=2).encode())
    return made


def close_run(run: Folder, report: bytes) -> None:
    """The run is finished; asking for it again begins a new one."""
    run.write(_REPORT, report)


def _shown(settings: BackfillSettings) -> dict[str, Any]:
    """The settings without the store's login: it may change, and is nobody's to read."""
    return asdict(settings) | {"store_url": without_login(settings.store_url)}


def _key(settings: BackfillSettings, files: Sequence[CatalogFile], generation: int) -> str:
    shown = _shown(settings)
    asked = {name: shown[name] for name in _SAME}
    wanted = generation if settings.mode is Mode.STALE else None
    text = json.dumps([asked, [asdict(file) for file in files], wanted], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]
