"""Environment variables that the programs read, as sections of the configuration page."""

from nearline.configuration.tables import Entry, Section, kind, value
from schemas.settings import rows
from storage.couchbase.url import PASSWORD, USERNAME
from streaming.kafka.framing import AUTH
from streaming.kafka.settings import PREFIX, KafkaSettings
from training.judging.postings import DATA

HEAD = ("variable", "type", "default", "meaning")
#: Services and commands that connect to each system, by the names that they have on the page.
ALL = "feature job, matcher, alert consumer"
KAFKA = f"{ALL}; topics; `nearline replay`, `explain`, `dlq` with `--bootstrap`; backfill with `--publish`"
REGISTRY = f"{ALL}; `nearline up`, `demo`, `replay`, `explain`; backfill with `--publish`"
COUCHBASE = f"{ALL}; backfill; `nearline up`, `demo`, `replay`, `explain`, `store`"


def connections() -> Section:
    """How the programs reach Kafka, the schema registry and Couchbase."""
    kafka = tuple(
        Entry(f"`{PREFIX}{row.field.upper()}`", kind(row.hint), value(row.default), row.option.help, KAFKA)
        for row in rows(KafkaSettings)
    )
    logins = (
        Entry(f"`{AUTH}`", "text", "–", "Login at the schema registry, `user:password`; a secret.", REGISTRY),
        Entry(
            f"`{USERNAME}`",
            "text",
            "–",
            "Login at Couchbase, for each store URL that has none of its own.",
            COUCHBASE,
        ),
        Entry(f"`{PASSWORD}`", "text", "–", "Its password; a secret.", COUCHBASE),
    )
    text = (
        "Read by `streaming/kafka/settings.py`, `streaming/kafka/framing.py` and `storage/couchbase/url.py`, for the programs "
        f"in the last column. Secrets belong here, because others see a command line. A name that begins with `{PREFIX}` or "
        f"`{USERNAME.removesuffix('USERNAME')}` and is none of these is refused."
    )
    return Section(2, "Connections: environment variables", text, (*kafka, *logins), (*HEAD, "read by"))


def others() -> Section:
    """Variables that single programs read."""
    return Section(
        2,
        "Other environment variables",
        "",
        (
            Entry(
                "`NEARLINE_CACHE`",
                "path",
                "`~/.cache/nearline`",
                "Folder of the compiled kernels. Read by the model server and `nearline evaluate` (`models/engine/kernel_cache.py`).",
            ),
            Entry(
                "`NEARLINE_KERNELS`",
                "avx512, avx2, neon, torch or auto",
                "`auto`",
                "Kernels that score on a CPU: a variant that is used or refused, none (`torch`), or the best. Read by the model "
                "server and `nearline evaluate` (`models/engine/kernel_choice.py`).",
            ),
            Entry(
                "`XDG_CACHE_HOME`", "path", "`~/.cache`", "Without `NEARLINE_CACHE`: its folder `nearline`."
            ),
            Entry(
                "`JAVA_HOME`",
                "path",
                "that of `java`",
                "JDK 17 or newer. Read by the local stack and `nearline backfill` (`nearline/stack/tools.py`).",
            ),
            Entry(
                f"`{DATA}`",
                "path",
                "–",
                "Folder of real postings and titles ([data](data.md)), for commands that have `--data`.",
            ),
            Entry(
                "`WORLD_SIZE`, `RANK`, `LOCAL_RANK`",
                "integer",
                "one process",
                "Set by `torchrun` and `accelerate launch`. Read by `nearline train sft` and `python -m training.tiny` "
                "(`training/components/machine.py`).",
            ),
            Entry(
                "`NEARLINE_STACK`, `NEARLINE_COMPONENT`",
                "text",
                "–",
                "Set by the local stack in its processes, so that `nearline down` finds each of them "
                "(`nearline/stack/processes.py`).",
            ),
            Entry(
                "that of `--api-key-env`",
                "text",
                "–",
                "Key of an endpoint that grades postings; a secret. Read by `nearline train judge`.",
            ),
            Entry(
                "`KILLS`, `SEED`, `PORT_BASE`, `AWAY_S`",
                "integer",
                "`20`, `1`, `23000`, `140`",
                "How many kills, at which moments, on which ports; how long brokers are away. Read by `make faults` (`tests/faults/`).",
            ),
            Entry(
                "`CATALOG`",
                "path",
                "`./catalog`",
                "Folder of the catalog to backfill. Read by `docker/compose.yaml`.",
            ),
            Entry(
                "`COUCHBASE_ADMIN_PASSWORD`",
                "text",
                "`administrator`",
                "Password of the administrator of compose's Couchbase; a secret. Read by `docker/compose.yaml`.",
            ),
        ),
        HEAD,
    )
