"""The two Spark jobs of a backfill, and the session that runs them: the only module here that imports PySpark's engine."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions

import schemas.errors
from batch.catalog import Split
from batch.survey import Place
from batch.tasks import DONE_DDL, PLACES_DDL, Survey, Work
from batch.worker import Task
from schemas.errors import NearlineError

#: Attempts of a task on this machine: a worker that dies is replaced, and goes on from the ledger.
LOCAL_ATTEMPTS = 4
_OURS = re.compile(r"schemas\.errors\.(\w+): (.*)")


def local_session(parallelism: int, memory: str = "512m") -> SparkSession:
    """Spark on this machine, small: the work is done in its Python workers, which PYSPARK_PYTHON and JAVA_HOME name."""
    builder: Any = SparkSession.builder
    root = str(Path(__file__).parents[1])
    for name, value in {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{root}/batch/log4j2.properties",
        "spark.ui.showConsoleProgress": "false",
        # the workers import what the driver imported
        "spark.executorEnv.PYTHONPATH": root,
    }.items():
        builder = builder.config(name, value)
    return session(builder.master(f"local[{parallelism},{LOCAL_ATTEMPTS}]"), parallelism)


def session(builder: Any, parallelism: int) -> SparkSession:
    """A session with what the work relies on."""
    return (
        builder.appName("nearline-backfill")
        # a second attempt beside the first would ask the model server twice
        .config("spark.speculation", "false")
        .config("spark.sql.shuffle.partitions", str(parallelism))
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )


def repeated(
    spark: SparkSession, splits: Sequence[Split], parallelism: int, run: str
) -> Iterator[tuple[str, list[Place]]]:
    """The catalog's postings of more than one row, with their places; the survey of each split is left in `run`."""
    groups = dealt(splits, parallelism)
    places = _mapped(spark, Survey(groups=groups, run=run), len(groups), PLACES_DDL)
    listed = functions.collect_list(functions.struct("split", "number", "instant_us", "line"))
    found = places.groupBy("id").agg(listed.alias("places")).where("size(places) > 1")
    try:
        for row in found.toLocalIterator():
            yield row["id"], [Place(*place) for place in row["places"]]
    except (Py4JError, PySparkException) as error:
        _raise(error)


def work(spark: SparkSession, splits: Sequence[Split], parallelism: int, task: Task) -> None:
    """Do what is left of the splits, `parallelism` at a time. Raises the error of ours that a worker gave up with."""
    groups = dealt(splits, parallelism)
    try:
        _mapped(spark, Work(groups=groups, task=task), len(groups), DONE_DDL).collect()
    except (Py4JError, PySparkException) as error:
        _raise(error)


def dealt(splits: Iterable[Split], hands: int) -> list[list[Split]]:
    """As many hands as there are to be tasks: never more than these work at once, whatever the cluster has room for."""
    listed = list(splits)
    return [hand for start in range(hands) if (hand := listed[start::hands])]


def _mapped(spark: SparkSession, function: Survey | Work, partitions: int, schema: str) -> Any:
    # cloudpickle must see a function; an instance's bound method is pickled with its instance, by reference to its module
    return spark.range(0, partitions, 1, partitions).mapInArrow(function.__call__, schema)


def _raise(error: Exception) -> NoReturn:
    """The worker's own error, if it was one of ours: Spark wraps it in a page of traces."""
    found = _OURS.findall(str(error))
    if not found:
        raise error
    name, message = found[-1]
    kind = getattr(schemas.errors, name, NearlineError)
    raise kind(
        f"{message.strip()}; nothing is lost: the same command goes on where this one stopped"
    ) from error
