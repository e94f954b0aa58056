"""The Spark engine: a backfill's two Spark jobs and their session. No other module of `batch` imports PySpark."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions
from typing_extensions import override

import schemas.errors
from batch.catalog import Split
from batch.engine import BackfillEngine, in_groups
from batch.survey import RowPlace
from batch.tasks import DONE_DDL, PLACES_DDL, SurveyFunction, WorkFunction
from batch.worker import Task
from schemas.errors import NearlineError
from schemas.events import EventFormat

#: Attempts of a task on this machine; a new attempt goes on from the ledger.
LOCAL_ATTEMPTS = 4
_OURS = re.compile(r"schemas\.errors\.(\w+): (.*)")


def local_session(parallelism: int, memory: str = "512m") -> SparkSession:
    """A small Spark on this machine; PYSPARK_PYTHON and JAVA_HOME name the Python of its workers and its Java."""
    builder: Any = SparkSession.builder
    root = str(Path(__file__).parents[1])
    for name, value in {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{root}/batch/log4j2.properties",
        "spark.ui.showConsoleProgress": "false",
        # the workers import the same packages as the driver
        "spark.executorEnv.PYTHONPATH": root,
    }.items():
        builder = builder.config(name, value)
    return session(builder.master(f"local[{parallelism},{LOCAL_ATTEMPTS}]"), parallelism)


def session(builder: Any, parallelism: int) -> SparkSession:
    """Open a session with the settings that the work relies on."""
    return (
        builder.appName("nearline-backfill")
        # a second attempt beside a slow one would call the model server for the same texts
        .config("spark.speculation", "false")
        .config("spark.sql.shuffle.partitions", str(parallelism))
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )


class SparkEngine(BackfillEngine):
    """Does the work on Spark; opens the session when it is first needed."""

    def __init__(self, open_session: Callable[[], SparkSession], parallelism: int) -> None:
        self._open_session, self._parallelism = open_session, parallelism

    @override
    def repeated(
        self, splits: Sequence[Split], run: str, how: EventFormat
    ) -> Iterator[tuple[str, list[RowPlace]]]:
        """Survey and group in Spark once the first result is asked for; holds one partition of results."""
        groups = in_groups(splits, self._parallelism)
        places = self._mapped(SurveyFunction(groups=groups, run=run, how=how), len(groups), PLACES_DDL)
        listed = functions.collect_list(functions.struct("split", "number", "instant_us", "line"))
        found = places.groupBy("id").agg(listed.alias("places")).where("size(places) > 1")
        try:
            for row in found.toLocalIterator():
                yield row["id"], [RowPlace(*place) for place in row["places"]]
        except (Py4JError, PySparkException) as error:
            _raise(error)

    @override
    def work(self, splits: Sequence[Split], task: Task) -> None:
        """Run at most `parallelism` tasks; an error without a NearlineError in its traces is raised as it is."""
        groups = in_groups(splits, self._parallelism)
        try:
            self._mapped(WorkFunction(groups=groups, task=task), len(groups), DONE_DDL).collect()
        except (Py4JError, PySparkException) as error:
            _raise(error)

    def _mapped(self, function: SurveyFunction | WorkFunction, partitions: int, schema: str) -> Any:
        # a bound method is pickled with its instance, by reference to its module
        rows = self._open_session().range(0, partitions, 1, partitions)
        return rows.mapInArrow(function.__call__, schema)


def _raise(error: Exception) -> NoReturn:
    """Raise the worker's NearlineError, found in the traces that Spark wraps it in; any other error as it is."""
    found = _OURS.findall(str(error))
    if not found:
        raise error
    name, message = found[-1]
    kind = getattr(schemas.errors, name, NearlineError)
    raise kind(
        f"{message.strip()}; nothing is lost: the same command goes on where this one stopped"
    ) from error
