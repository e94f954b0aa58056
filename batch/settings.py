"""Settings of a backfill, whose options `nearline backfill` and the driver's program share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pipeline.featurize import MAX_AHEAD_S
from schemas.errors import ConfigError
from schemas.events import DOCUMENTED, EventFormat
from schemas.settings import Option, Options

LOCAL_STORES = ("lmdb:", "memory:")


class BackfillMode(StrEnum):
    """Which postings of the catalog are worked on."""

    ALL = "all"
    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSettings:
    """Settings of a backfill; making one that cannot work raises ConfigError, which names the setting.

    `catalog`: files, folders, globs or URIs. `state`: the folder (or URI) of progress files. `sample`: the part of
    the postings to work on, chosen by their ids. `parallelism` tasks share `concurrency` calls in flight and
    `rate_per_s` summaries (0: no limit). `publish`: Kafka brokers to send each changed record to, framed by
    `schema_registry` if given. `chunk_rows`: rows of one call of featurize. `patience_s`: how long to wait for the
    end of an outage.
    """

    catalog: Annotated[
        tuple[str, ...],
        Option(
            "Postings: files, folders or globs; Parquet, Avro, JSON Lines, plain or .gz.", positional=True
        ),
    ]
    store_url: Annotated[str, Option("Store URL; on a cluster one that every worker reaches.", "--store")]
    summarizer_url: Annotated[
        str, Option("Model server's URL, or `instant:` (no model).", "--summarizer")
    ] = "instant:"
    tokenizer_dir: Annotated[
        str,
        Option(
            "The summarizer's checkpoint, to cut texts by its tokens.",
            "--tokenizer",
            also=("--tokenizer-dir",),
        ),
    ] = ""
    embedder_url: Annotated[
        str,
        Option(
            "Embedder whose vectors go into the records, or `instant:` (no model); default: records have no vectors.",
            "--embedder",
        ),
    ] = ""
    mode: Annotated[
        BackfillMode,
        Option(
            "`all`; `missing`: postings that the store does not have; `stale`: those with another text than the "
            "catalog's, or a summary of an older generation, or (with --embedder) no vector of its model."
        ),
    ] = BackfillMode.ALL
    sample: Annotated[float, Option("The part of the postings to work on, by their ids.")] = 1.0
    dry_run: Annotated[bool, Option("Write nothing: say how many summaries, tokens and hours.")] = False
    assume_rate_per_s: Annotated[
        float,
        Option(
            "With --dry-run: summaries a second; 0: measured on a few texts.",
            "--rate",
            also=("--assume-rate-per-s",),
        ),
    ] = 0.0
    state: Annotated[
        str, Option("Folder (or URI) that remembers progress; the same command goes on there.")
    ] = "build/backfill"
    report: Annotated[str, Option("Where the closing report goes, as JSON.")] = ""
    dead_letters: Annotated[str, Option("Folder of the dead letters; default: inside the run's folder.")] = ""
    publish: Annotated[
        str,
        Option(
            "Kafka brokers, HOST:PORT: each record that changes also goes to postings.features, so that saved "
            "searches meet it."
        ),
    ] = ""
    schema_registry: Annotated[str, Option("With --publish: the schema registry's URL.")] = ""
    parallelism: Annotated[int, Option("Tasks at a time.")] = 2
    chunk_rows: Annotated[int, Option("Rows that are read, written and counted at once.")] = 500
    split_mib: Annotated[int, Option("Input of one split in MiB; splits are handed to tasks.")] = 32
    concurrency: Annotated[int, Option("Calls to the model server in flight, over all tasks.")] = 16
    rate_per_s: Annotated[
        float,
        Option("Summaries a second over all tasks; 0 = no limit.", "--max-rate", also=("--rate-per-s",)),
    ] = 0.0
    reading: Annotated[EventFormat, Options("How rows are read")] = DOCUMENTED
    max_ahead_s: Annotated[
        float, Option("How far in the future a row's time may lie; a later one is a dead letter.")
    ] = MAX_AHEAD_S
    deadline_s: Annotated[float, Option("Limit of all model calls of one chunk together.")] = 300.0
    patience_s: Annotated[float, Option("Seconds that an outage is waited out.")] = 600.0

    def __post_init__(self) -> None:
        if not self.catalog:
            raise ConfigError("no catalog: name a file, a folder or a glob of postings")
        for name in ("parallelism", "chunk_rows", "split_mib", "concurrency", "deadline_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("rate_per_s", "assume_rate_per_s", "patience_s", "max_ahead_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 < self.sample <= 1:
            raise ConfigError(f"sample must be above 0 and at most 1, not {self.sample}")
        if self.concurrency < self.parallelism:
            raise ConfigError(
                f"concurrency {self.concurrency} is less than parallelism {self.parallelism}: "
                "each task needs at least one call; run fewer tasks"
            )
        if self.schema_registry and not self.publish:
            raise ConfigError(
                "schema_registry frames what is published: give publish, the Kafka brokers, too"
            )
        if self.store_url.startswith("memory:") and not self.dry_run:
            raise ConfigError(
                "a memory: store is gone when the backfill ends: give lmdb:///folder or couchbase://"
            )

    def check_master(self, master: str) -> None:
        """Raise ConfigError if the store is on this machine and Spark's workers are not."""
        # the workers of a master on loopback are on this machine too
        if master.startswith(("local", "spark://127.0.0.1:", "spark://localhost:")):
            return
        if self.store_url.startswith(LOCAL_STORES):
            raise ConfigError(
                f"store {self.store_url} lives on one machine, but Spark's master is {master}: "
                "give a store that every worker reaches, such as couchbase://"
            )
