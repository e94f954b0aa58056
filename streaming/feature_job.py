r"""The feature job: two Kafka tables of raw bytes with one vectorized Python function between them.

    flink run -d -pyexec PYTHON -pyclientexec PYTHON -pyfs pyfiles.zip -j flink-sql-connector-kafka.jar \
        -pym streaming.feature_job --bootstrap HOST:PORT --store URL --summarizer URL

Flink holds no state but Kafka's offsets: the store decides which version is newest, and offsets are committed only by
checkpoints that follow the write (docs/semantics.md#when-things-are-down).
"""

import os
import sys
from contextlib import closing

from pyflink.table import EnvironmentSettings, Schema, TableDescriptor, TableEnvironment
from pyflink.table.udf import udf

from schemas.errors import NearlineError, exit_status
from streaming.features.flink_function import FeaturizeFunction
from streaming.features.settings import FeatureJobSettings, check_store, parse
from streaming.features.worker import FeatureWorker
from streaming.kafka.admin import wait_for_topics

INSERT = """
    INSERT INTO messages SELECT m.topic, m.k, m.v, m.headers
    FROM (SELECT featurize(k, v, `partition`, `offset`, `timestamp`) AS m FROM updates)
"""
MESSAGE = "ROW<topic STRING, k BYTES, v BYTES, headers MAP<STRING, BYTES>>"


def submit(settings: FeatureJobSettings) -> None:
    """Wait for the brokers, then build the job in the environment of `flink run` and submit it.

    Raises ConfigError when a topic is missing, the store cannot be shared by the cluster's machines, or a URL is
    wrong; StoreUnavailable or RegistryUnavailable when the worker's store or registry does not answer now.
    """
    wait_for_topics(settings.kafka, (settings.source_topic, settings.features_topic, settings.dlq_topic))
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = tables.get_config()
    check_store(
        settings.store_url, config.get("execution.target", "local"), config.get("rest.address", "localhost")
    )
    for name, value in settings.flink().items():
        config.set(name, value)
    # A setting with which no worker can start fails here, once, instead of in every restart of the job.
    with closing(FeatureWorker(settings.worker())) as worker:
        worker.reach()
    _connect(tables, settings)
    tables.execute_sql(INSERT)


def _connect(tables: TableEnvironment, settings: FeatureJobSettings) -> None:
    """Register the function and the two tables that `INSERT` names."""
    function = udf(FeaturizeFunction(settings.worker()), result_type=MESSAGE, func_type="pandas")
    tables.create_temporary_function("featurize", function)
    tables.create_temporary_table("updates", _updates(settings))
    tables.create_temporary_table("messages", _messages(settings))


def _updates(settings: FeatureJobSettings) -> TableDescriptor:
    schema = Schema.new_builder().column("k", "BYTES").column("v", "BYTES")
    schema.column_by_metadata("partition", "INT", is_virtual=True)
    schema.column_by_metadata("offset", "BIGINT", is_virtual=True)
    schema.column_by_metadata("timestamp", "TIMESTAMP_LTZ(3)", is_virtual=True)
    return _table(schema.build(), settings.source())


def _messages(settings: FeatureJobSettings) -> TableDescriptor:
    schema = Schema.new_builder().column_by_metadata("topic", "STRING")
    schema.column("k", "BYTES").column("v", "BYTES")
    schema.column_by_metadata("headers", "MAP<STRING, BYTES>")
    return _table(schema.build(), settings.sink())


def _table(schema: Schema, options: dict[str, str]) -> TableDescriptor:
    table = TableDescriptor.for_connector("kafka").schema(schema)
    for name, value in options.items():
        table.option(name, value)
    return table.build()


def main() -> None:
    """Read argv and the environment and submit the job; an error is one line on standard error.

    Exit status 2: a setting that cannot work; 1: an outage. `flink run` says `Python process exits with code: 2` and
    itself ends with 1.
    """
    try:
        submit(parse(sys.argv[1:], os.environ, description=__doc__))
    except NearlineError as error:
        sys.stderr.write(f"feature job: {error}\n")
        sys.exit(exit_status(error))


if __name__ == "__main__":
    main()
