"""What a local stack consists of: one frozen value, kept beside the logs for `status` and `down` to find."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from storage.couchbase.url import for_cache

#: Offsets from `port_base`; the defaults keep clear of a Kafka or Flink that already runs on this machine.
_PORTS = {
    "kafka": 92,
    "controller": 93,
    "flink": 81,
    "flink_rpc": 82,
    "models": 30,
    "supervisor_metrics": 1,
    "matcher_metrics": 2,
    "consumer_metrics": 3,
    "jobmanager_metrics": 4,
    "taskmanager_metrics": 5,
    "couchbase": 11,
    "couchbase_rest": 12,
}
#: The local Couchbase test server's only bucket and its login; it listens on loopback and keeps nothing.
TEST_BUCKET, TEST_PASSWORD = "features", "nearline"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """Settings of the local stack.

    `models` is `tiny` (the shipped checkpoints behind the model server), `instant-server` (stand-ins behind the same
    server), `instant` (stand-ins inside job and consumer, no server), the URL of a server, or two of them with a
    comma between, ranker and summarizer: an SGLang serves one model. `crash_at` is for the fault tests
    (streaming/process/fault_probe.py). `store` is a URL, or `couchbase` for Couchbase's test server as one more
    component; the cache of a Couchbase store is in the same place. `batch_size` None: what suits the models.
    `schema_registry`: its URL, handed to every part that reads or writes a topic.
    """

    home: Path = Path("build/stack")
    port_base: int = 29000
    parallelism: int = 2
    batch_size: int | None = None
    models: str = "tiny"
    ranker_dir: Path | None = None
    summarizer_dir: Path | None = None
    store: str | None = None
    cache: str | None = None
    schema_registry: str = ""
    window_s: float = 0.2
    deadline_s: float = 45.0
    checkpoint_s: float = 5.0
    checkpoint_timeout_s: float = 600.0
    max_backoff_s: float = 60.0
    taskmanager_memory: str = "1728m"
    session_timeout_s: float = 15.0
    crash_at: str = ""

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
    def flink_url(self) -> str:
        """The JobManager's REST address."""
        return f"http://127.0.0.1:{self.port('flink')}"

    @property
    def models_url(self) -> str:
        """Where ranker and summarizer answer."""
        return self.models if self.models.startswith("http") else f"http://127.0.0.1:{self.port('models')}"

    @property
    def ranker_url(self) -> str:
        """What the alert consumer is told."""
        return "instant:" if self.models == "instant" else self.models_url.split(",")[0]

    @property
    def summarizer_url(self) -> str:
        """What the feature job is told."""
        return "instant:" if self.models == "instant" else self.models_url.split(",")[-1]

    @property
    def updates_a_batch(self) -> int:
        """Updates in one call of `featurize`: all summaries of a batch must come within one deadline."""
        return self.batch_size or (1000 if self.models == "instant" else 64)

    @property
    def hosts_models(self) -> bool:
        """Whether this stack starts the model server."""
        return self.models in {"tiny", "instant-server"}

    @property
    def hosts_couchbase(self) -> bool:
        """Whether this stack starts Couchbase's test server."""
        return self.store == "couchbase"

    @property
    def store_url(self) -> str:
        """The feature store and alert ledger."""
        if self.hosts_couchbase:
            return test_server_url(self.port("couchbase"))
        return self.store or f"lmdb://{self.home.resolve()}/store"

    @property
    def cache_url(self) -> str:
        """The score cache: losing it costs time only, so it does not wait for the disk."""
        if self.cache is None and self.store_url.startswith("couchbase"):
            return for_cache(self.store_url)
        return self.cache or f"lmdb://{self.home.resolve()}/cache?sync=os"

    @property
    def registry_arguments(self) -> tuple[str, ...]:
        """What a process is told about the registry; credentials pass through the environment."""
        return ("--schema-registry", self.schema_registry) if self.schema_registry else ()

    @property
    def jars(self) -> Path:
        """The JVM jars, shared by every stack beside this one."""
        return self.home.resolve().parent / "jars"

    def log(self, component: str) -> Path:
        """The log file of one component."""
        return self.home.resolve() / "logs" / f"{component}.log"

    def save(self) -> None:
        """Write the settings into the stack's home and note beside it that this is the stack last started."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "settings.json").write_text(json.dumps(dataclasses.asdict(self), default=str, indent=1))
        (self.home.parent / "current").write_text(str(self.home.resolve()))

    @classmethod
    def load(cls, home: Path) -> "StackSettings":
        """The settings of the stack in `home`; FileNotFoundError when none was ever started there."""
        values = json.loads((home / "settings.json").read_text())
        for name in ("home", "ranker_dir", "summarizer_dir"):
            values[name] = Path(values[name]) if values[name] else None
        return cls(**values)


def test_server_url(port: int) -> str:
    """How to reach Couchbase's test server: it has neither durable writes nor range scans."""
    login = f"{TEST_BUCKET}:{TEST_PASSWORD}"
    return f"couchbase://{login}@127.0.0.1:{port}/{TEST_BUCKET}?durability=none&scan=views"


def current_home(default: Path) -> Path:
    """The home of the stack last started beside `default`, else `default` itself."""
    pointer = default.parent / "current"
    return Path(pointer.read_text()) if pointer.exists() else default
