"""Options that several commands share, with the defaults of the settings classes."""

import os
from pathlib import Path
from typing import Annotated

import typer

from nearline.stack.settings import StackSettings, current_home
from schemas.errors import ConfigError
from storage.couchbase.url import with_login
from storage.opening import open_store
from streaming.kafka.framing import RegistrySettings

_DEFAULTS = StackSettings()

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the local stack: logs, topics, store; default: the one last started here."),
]
PortBase = Annotated[int, typer.Option(help="First port; the broker takes +92, Flink +81, the models +30.")]
Models = Annotated[
    str,
    typer.Option(
        help="`tiny` (shipped checkpoints), `instant` (no model), the URL of a model server, or RANKER,SUMMARIZER of two SGLangs."
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Store URL, or `couchbase` for Couchbase's test server; default: an LMDB inside the stack's home.",
    ),
]
SchemaRegistry = Annotated[
    str,
    typer.Option(
        help="Confluent framing on the topics: the registry's URL; credentials in NEARLINE_SCHEMA_REGISTRY_AUTH."
    ),
]
Parallelism = Annotated[int, typer.Option(help="Parallel feature subtasks, one Python worker each.")]

PORT_BASE, MODELS, PARALLELISM = _DEFAULTS.port_base, _DEFAULTS.models, _DEFAULTS.parallelism

CHECKPOINTS = Path(__file__).parents[2] / "models" / "checkpoints"


def stack_settings(
    home: Path | None,
    port_base: int,
    models: str,
    store: str | None,
    schema_registry: str,
    parallelism: int = PARALLELISM,
) -> StackSettings:
    """The settings of a stack from the command line, with the shipped checkpoints. ConfigError for what cannot work."""
    registry(schema_registry)
    if models not in {"tiny", "instant", "instant-server"} and not models.startswith("http"):
        raise ConfigError(
            f"--models {models!r}: give `tiny`, `instant`, `instant-server`, a URL or two with a comma between"
        )
    if store not in {None, "couchbase"}:
        # Opened once here, so that a URL that cannot work is one error instead of one in each process's log.
        open_store(with_login(str(store), os.environ)).close()
    shipped = models != "instant"
    return StackSettings(
        home=home or _DEFAULTS.home,
        port_base=port_base,
        models=models,
        store=store,
        schema_registry=schema_registry,
        parallelism=parallelism,
        ranker_dir=CHECKPOINTS / "ranker-tiny" if shipped else None,
        summarizer_dir=CHECKPOINTS / "summarizer-tiny" if shipped else None,
    )


def registry(url: str) -> RegistrySettings:
    """The schema registry at `url` ("": none), with the credentials in the environment. ConfigError for a bad URL."""
    return RegistrySettings.from_env(os.environ, url=url)


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
