"""Options that several commands share, with the defaults of the settings classes."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from models.calibration import read_calibration
from models.client.embedder import open_embedder
from nearline.stack.settings import StackSettings, current_home
from nearline.stack.smollm2 import smollm2_ranker
from schemas.errors import ConfigError
from schemas.records import THRESHOLD
from storage.couchbase.url import with_login
from storage.opening import open_store
from streaming.kafka.framing import RegistrySettings
from streaming.kafka.settings import KafkaSettings

_DEFAULTS = StackSettings()

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the local stack: logs, topics, store; default: the one last started here."),
]
CHECKPOINTS = Path(__file__).parents[2] / "models" / "checkpoints"


def checked(stack: StackSettings) -> StackSettings:
    """A stack's settings, with the shipped checkpoints; ConfigError for a setting that cannot work."""
    registry(stack.schema_registry)
    models, store = stack.models, stack.store
    if models not in {"tiny", "smollm2", "instant", "instant-server"} and not models.startswith("http"):
        raise ConfigError(
            f"--models {models!r}: give `tiny`, `smollm2`, `instant`, `instant-server`, a URL or two with a comma "
            "between"
        )
    if stack.embedder not in {"off", "tiny"}:
        open_embedder(stack.embedder)
    if stack.adapter and models != "smollm2":
        raise ConfigError("--adapter is for --models smollm2")
    if store not in {None, "couchbase"}:
        # Opened once here, so that a URL that cannot work is one error instead of one in each process's log.
        open_store(with_login(str(store), os.environ)).close()
    if models == "instant":
        return stack
    return replace(
        stack,
        ranker_dir=_ranker(stack),
        summarizer_dir=CHECKPOINTS / "summarizer-tiny",
        embedder_dir=_embedder(stack),
    )


def _embedder(stack: StackSettings) -> Path | None:
    """The shipped embedder, where this stack's own model server is to serve it."""
    hosted = stack.embedder == "tiny" and stack.models in {"tiny", "smollm2"}
    return shipped().get("embedder") if hosted else None


def shipped() -> dict[str, Path]:
    """The shipped checkpoints by their roles."""
    found = {role: CHECKPOINTS / f"{role}-tiny" for role in ("ranker", "summarizer", "embedder")}
    return {role: path for role, path in found.items() if path.is_dir()}


def _ranker(stack: StackSettings) -> Path:
    if stack.models == "smollm2":
        return smollm2_ranker(stack.adapter, stack.home.resolve().parent / "models")
    return CHECKPOINTS / "ranker-tiny"


def default_threshold(ranker: Path | None) -> float:
    """Threshold of saved searches that name none: what the ranker's calibration gives, else that of the records."""
    found = read_calibration(ranker) if ranker else None
    return THRESHOLD if found is None or found.threshold is None else found.threshold


def registry(url: str) -> RegistrySettings:
    """The schema registry at `url` ("": none), with the credentials in the environment. ConfigError for a bad URL."""
    return RegistrySettings.from_env(os.environ, url=url)


def kafka(bootstrap: str | None, home: Path | None) -> KafkaSettings:
    """The brokers at `bootstrap`, with TLS and SASL from the environment; without `bootstrap` the local stack's.

    ConfigError for settings that no broker accepts, and when there is no local stack.
    """
    if bootstrap:
        return KafkaSettings.from_env(os.environ, bootstrap=bootstrap)
    return KafkaSettings(bootstrap=running_stack(home).bootstrap)


def store_url(url: str | None, home: Path | None) -> str:
    """The URL of a store on the command line (None, `local`: the stack's), with the login in the environment."""
    wanted = running_stack(home).store_url if url in {None, "local"} else url
    return with_login(str(wanted), os.environ)


def last_home(home: Path | None) -> Path:
    """The given folder, else the folder of the stack that was started last."""
    return home or current_home(_DEFAULTS.home)


def running_stack(home: Path | None) -> StackSettings:
    """The settings of the stack in `home`. ConfigError when none was ever started there."""
    try:
        return StackSettings.load(last_home(home))
    except FileNotFoundError:
        raise ConfigError(
            "no stack was started here: `nearline up` starts one (or name its --home)"
        ) from None
