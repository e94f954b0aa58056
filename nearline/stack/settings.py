"""Settings of a local stack, saved in its home folder, where `nearline status` and `down` find them."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from models.card import read_card
from models.writing import write_whole
from schemas.errors import ConfigError
from schemas.settings import Option
from storage.couchbase.url import for_cache
from streaming.kafka.topics import UPDATES

#: Offsets from `port_base`. The default base differs from the ports of a Kafka or Flink that runs on this machine.
_PORTS = {
    "kafka": 92,
    "controller": 93,
    "flink": 81,
    "flink_rpc": 82,
    "models": 30,
    "page": 80,
    "supervisor_metrics": 1,
    "matcher_metrics": 2,
    "consumer_metrics": 3,
    "jobmanager_metrics": 4,
    "taskmanager_metrics": 5,
    "search": 41,
    "search_metrics": 6,
    "couchbase": 11,
    "couchbase_rest": 12,
}
#: Bucket and password of the local Couchbase test server, which keeps nothing on disk. Its port for keys and values
#: listens on loopback, its REST port on all interfaces (docs/security.md).
TEST_BUCKET, TEST_PASSWORD = "features", "nearline"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """Settings of the local stack.

    `models`: `tiny` (the shipped checkpoints behind the model server), `smollm2` (SmolLM2 with an adapter as ranker,
    and the shipped summarizer, behind the same server), `instant-server` (stand-ins behind the same
    server), `instant` (stand-ins inside feature job and alert consumer, without a server), the URL of a server, or two
    URLs, RANKER,SUMMARIZER, because an SGLang serves one model.
    `store`: a URL, or `couchbase` for Couchbase's test server as one more component. The cache of a Couchbase store is
    in the same bucket.
    `parallelism`, `batch_size`: None for what suits the models.
    `schema_registry`: its URL, for every part that reads or writes a topic.
    `crash_at`: for the fault tests (streaming/process/fault_probe.py).
    """

    home: Path = Path("build/stack")
    port_base: Annotated[
        int, Option("First port; the broker takes +92, Flink +81, the models +30, the page +80.")
    ] = 29000
    models: Annotated[
        str,
        Option(
            "`tiny` (shipped checkpoints), `smollm2` (SmolLM2 with an adapter), `instant` (no model), the URL of a model server, or RANKER,SUMMARIZER of "
            "two SGLangs."
        ),
    ] = "tiny"
    embedder: Annotated[
        str,
        Option(
            "Embedder whose vectors go into the records: `tiny` (the shipped one, with `--models tiny` or `smollm2`), "
            "`instant:` (no model), a URL, or `off` (words alone match)."
        ),
    ] = "off"
    adapter: Annotated[
        Path | None, Option("Adapter of `--models smollm2`, such as RUN/best; default: the shipped one.")
    ] = None
    store: Annotated[
        str | None,
        Option(
            "Store URL, or `couchbase` for Couchbase's test server; default: an LMDB inside the stack's home."
        ),
    ] = None
    schema_registry: Annotated[
        str,
        Option(
            "Confluent framing on the topics: the registry's URL; credentials in NEARLINE_SCHEMA_REGISTRY_AUTH."
        ),
    ] = ""
    parallelism: Annotated[
        int | None,
        Option("Parallel feature subtasks, one Python worker each; default: 2, and 4 without models."),
    ] = None
    batch_size: int | None = None
    ranker_dir: Path | None = None
    summarizer_dir: Path | None = None
    embedder_dir: Path | None = None
    cache: str | None = None
    window_s: float = 0.2
    deadline_s: float = 45.0
    checkpoint_s: float = 5.0
    checkpoint_timeout_s: float = 600.0
    max_backoff_s: float = 60.0
    taskmanager_memory: str = "1728m"
    session_timeout_s: float = 15.0
    crash_at: str = ""
    page: Annotated[bool, Option("Serve the page for browsers, on port +80.", "--page/--no-page")] = True

    def port(self, role: str) -> int:
        """The loopback port of one role."""
        return self.port_base + _PORTS[role]

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the stack listens on."""
        return {role: self.port(role) for role in _PORTS}

    @property
    def bootstrap(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.port('kafka')}"

    @property
    def page_url(self) -> str:
        """The page for browsers."""
        return f"http://127.0.0.1:{self.port('page')}/"

    @property
    def flink_url(self) -> str:
        """The JobManager's REST address."""
        return f"http://127.0.0.1:{self.port('flink')}"

    @property
    def models_url(self) -> str:
        """The address of ranker and summarizer."""
        return self.models if self.models.startswith("http") else f"http://127.0.0.1:{self.port('models')}"

    @property
    def search_url(self) -> str:
        """The address of the search service."""
        return f"http://127.0.0.1:{self.port('search')}"

    @property
    def ranker_url(self) -> str:
        """The ranker's URL, for the alert consumer."""
        return "instant:" if self.models == "instant" else self.models_url.split(",")[0]

    @property
    def summarizer_url(self) -> str:
        """The summarizer's URL, for the feature job."""
        return "instant:" if self.models == "instant" else self.models_url.split(",")[-1]

    @property
    def embedder_url(self) -> str:
        """The embedder's URL; "" without one: stand-ins and foreign servers bring none unless one is named."""
        if self.embedder == "tiny":
            return self.models_url if self.embedder_dir else ""
        return "" if self.embedder == "off" else self.embedder

    @property
    def subtasks(self) -> int:
        """Feature subtasks: without models as many as the topic has partitions.

        A subtask's worker is idle while its batch goes to the disk and to and from Flink; the others then use its core.
        """
        return self.parallelism or (UPDATES.partitions if self.models == "instant" else 2)

    @property
    def updates_a_batch(self) -> int:
        """Most updates in one call of `featurize`: fewer with real models, which summarize a batch within one deadline.

        A call takes what has arrived; only a backlog fills it, and then the larger one costs less for each update.
        """
        return self.batch_size or (4000 if self.models == "instant" else 64)

    @property
    def similarity(self) -> float | None:
        """The least similarity of a candidate that the shipped embedder's card names; None: the matcher's own."""
        return None if self.embedder_dir is None else read_card(self.embedder_dir).get("threshold")

    @property
    def hosts_models(self) -> bool:
        """Whether this stack starts the model server."""
        return self.models in {"tiny", "smollm2", "instant-server"}

    @property
    def hosts_couchbase(self) -> bool:
        """Whether this stack starts Couchbase's test server."""
        return self.store == "couchbase"

    @property
    def store_url(self) -> str:
        """The store of features and alert ledger."""
        if self.hosts_couchbase:
            return test_server_url(self.port("couchbase"))
        return self.store or f"lmdb://{self.home.resolve()}/store"

    @property
    def cache_url(self) -> str:
        """The score cache. It does not wait for the disk, because losing it costs time only."""
        if self.cache is None and self.store_url.startswith("couchbase"):
            return for_cache(self.store_url)
        return self.cache or f"lmdb://{self.home.resolve()}/cache?sync=os"

    @property
    def registry_arguments(self) -> tuple[str, ...]:
        """The registry's option for a process; its credentials are in the environment."""
        return ("--schema-registry", self.schema_registry) if self.schema_registry else ()

    @property
    def jars(self) -> Path:
        """The folder of Java archives, which all stacks with one parent folder share."""
        return self.home.resolve().parent / "jars"

    def log(self, component: str) -> Path:
        """The log file of one component."""
        return self.home.resolve() / "logs" / f"{component}.log"

    def save(self) -> None:
        """Write the settings into the stack's home, and note beside it that this stack was started last."""
        values = json.dumps(dataclasses.asdict(self), default=str, indent=1)
        write_whole(self.home / "settings.json", values, concurrent=True)
        write_whole(self.home.parent / "current", str(self.home.resolve()), concurrent=True)

    @classmethod
    def load(cls, home: Path) -> "StackSettings":
        """The settings of the stack in `home`; FileNotFoundError when none was ever started there.

        ConfigError for a file that is torn, or that this version did not write.
        """
        path = home / "settings.json"
        try:
            return _read(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path} is not the settings of a local stack ({error}): `nearline down --home {home}` stops what runs "
                "there; then remove the file, and `nearline up` writes it again"
            ) from error


def _read(data: bytes) -> StackSettings:
    """The settings that `save` wrote; a field that the file lacks has its default. ValueError says what is wrong."""
    values = json.loads(data)
    if not isinstance(values, dict) or not {"home", "port_base"} <= values.keys():
        raise ValueError("no object with home and port_base")
    hints = get_type_hints(StackSettings)
    if unknown := sorted(values.keys() - hints.keys()):
        raise ValueError(f"{unknown[0]} is not a setting")
    return StackSettings(**{name: _typed(name, value, hints[name]) for name, value in values.items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    """A value of the file as its field takes it; ValueError when the field cannot."""
    kinds = get_args(hint) or (hint,)
    if Path in kinds and isinstance(value, str):
        return Path(value)
    if type(value) not in kinds and not (float in kinds and type(value) is int):
        raise ValueError(f"{name} cannot be {value!r:.40}")
    return value


def test_server_url(port: int) -> str:
    """The URL of Couchbase's test server, which has neither durable writes nor range scans."""
    login = f"{TEST_BUCKET}:{TEST_PASSWORD}"
    return f"couchbase://{login}@127.0.0.1:{port}/{TEST_BUCKET}?durability=none&scan=views"


def current_home(default: Path) -> Path:
    """The home of the stack that was started last in the folder of `default`, else `default` itself."""
    pointer = default.parent / "current"
    try:
        noted = Path(pointer.read_text())
        return noted if noted.is_absolute() and noted.is_dir() else default
    except (FileNotFoundError, ValueError):
        return default
