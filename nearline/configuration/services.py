"""Programs that are started by `python -m`, `flink run` or `spark-submit`, as sections of the configuration page."""

from batch.settings import BackfillSettings
from models.server import ServeConfig
from nearline.configuration.tables import Section, options
from streaming.alert_consumer import ALERT_CONSUMER
from streaming.create_topics import TopicSettings
from streaming.features.settings import FeatureJobSettings
from streaming.matcher import MATCHER
from streaming.process.options import Connections
from streaming.search_service import SEARCH_SERVICE
from training.rl.start_settings import StartRun
from training.tiny.settings import TinyRun

CONNECTIONS = (
    "Environment: `NEARLINE_KAFKA_*`, `NEARLINE_SCHEMA_REGISTRY_AUTH` and, with a store in Couchbase, `NEARLINE_COUCHBASE_*` "
    "([connections](#connections-environment-variables))."
)
KAFKA_ALONE = "Environment: `NEARLINE_KAFKA_*` ([connections](#connections-environment-variables))."
KERNELS = "Environment: `NEARLINE_CACHE`, `XDG_CACHE_HOME` ([others](#other-environment-variables))."


def services() -> list[Section]:
    """The processes of a deployment."""
    members = [
        Section(3, f"{title}: `python -m {one.module}`", CONNECTIONS, options(Connections, one.settings))
        for title, one in (
            ("Matcher", MATCHER),
            ("Alert consumer", ALERT_CONSUMER),
            ("Search service", SEARCH_SERVICE),
        )
    ]
    return [
        Section(2, "Services", "The processes of a deployment; `--help` of each says the same."),
        Section(3, "Topics, once: `python -m streaming.create_topics`", KAFKA_ALONE, options(TopicSettings)),
        Section(
            3,
            "Feature job: `flink run … -pym streaming.feature_job`",
            CONNECTIONS,
            options(Connections, FeatureJobSettings),
        ),
        *members,
        Section(
            3,
            "Model server: `python -m models.server`",
            f"`nearline serve` has the same options. {KERNELS}",
            options(ServeConfig),
        ),
        Section(
            3,
            "Backfill's driver: `spark-submit … nearline/backfill_program.py`",
            f"`nearline backfill submit` writes this command line. {CONNECTIONS}",
            options(BackfillSettings),
        ),
    ]


def training() -> list[Section]:
    """The programs behind `make train`."""
    return [
        Section(2, "Programs that make and measure the shipped checkpoints"),
        Section(3, "`python -m training.rl.start`", "", options(StartRun)),
        Section(
            3,
            "`python -m training.rl.verl_backend.launch RUN [OVERRIDE …]`",
            "Runs verl, in its environment, on what `nearline train rl --backend verl` wrote; overrides are Hydra's.",
        ),
        Section(3, "`python -m training.tiny`", "", options(TinyRun)),
    ]
