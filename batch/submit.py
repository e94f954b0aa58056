"""The `spark-submit` command that runs a backfill on a cluster, and the zip of our roots that it ships."""

import importlib.util
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from batch.settings import BackfillSettings
from pipeline.pyfiles import build_zip
from schemas.errors import ConfigError
from schemas.settings import to_argv

#: The driver's program: above this root, because what it composes is.
PROGRAM = "nearline/backfill_program.py"
ROOT = Path(__file__).parents[1]
#: Where a container image of Spark has our roots.
IMAGE_ROOT = "/opt/nearline"
MASTERS = ("local", "spark://", "yarn", "k8s://")


#: A second attempt beside the first would ask the model server twice; a task whose worker died goes on from the ledger.
_COMMON = {"spark.speculation": "false", "spark.task.maxFailures": "8", "spark.log.level": "WARN"}


def check_master(settings: BackfillSettings, master: str) -> None:
    """ConfigError for a master that Spark does not have, or where its workers cannot reach store or progress."""
    if not master.startswith(MASTERS):
        raise ConfigError(
            f"master {master!r}: give local[N], spark://host:port, yarn or k8s://https://host:port"
        )
    settings.check_master(master)


def ship(target: Path) -> Path:
    """Build the zip that every worker imports from; its path."""
    return build_zip(target, "batch", "streaming", "nearline")


def command(
    settings: BackfillSettings, master: str, pyfiles: str, *, conf: Mapping[str, str] | None = None
) -> list[str]:
    """`spark-submit` with the master's own settings, then `conf`, then the program and what it is told.

    Raises ConfigError where `check_master` does, or without PySpark.
    """
    check_master(settings, master)
    given = {**_COMMON, **_of_master(settings, master), **(conf or {})}
    return [
        str(spark_home() / "bin" / "spark-submit"),
        *("--master", master),
        *(("--deploy-mode", "cluster") if master.startswith("k8s://") else ()),
        *("--name", "nearline-backfill"),
        *(() if master.startswith("k8s://") else ("--py-files", pyfiles)),
        *(part for name, value in given.items() for part in ("--conf", f"{name}={value}")),
        _program(master),
        *to_argv(settings),
    ]


def printed(line: list[str]) -> str:
    """The command for a shell."""
    return " ".join(map(shlex.quote, line))


def spark_home() -> Path:
    """Spark as pip installed it. ConfigError when the extra is missing."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigError("pyspark is not installed: pip install 'nearline-job-search[spark]'")
    return Path(spec.origin).parent


def _of_master(settings: BackfillSettings, master: str) -> dict[str, str]:
    """Room for `parallelism` tasks at once, each with a Python worker beside a small JVM."""
    if master.startswith("local"):
        return {"spark.pyspark.python": sys.executable}
    if master.startswith("spark://"):
        return {"spark.cores.max": str(settings.parallelism), "spark.executor.memory": "1g"}
    room = {
        "spark.executor.instances": str(settings.parallelism),
        "spark.executor.cores": "1",
        "spark.executor.memory": "1g",
        "spark.executor.memoryOverhead": "1g",
    }
    if master == "yarn":
        # the environment that the nodes unpack: conda-pack or venv-pack of this one
        return room | {
            "spark.yarn.dist.archives": "environment.tar.gz#environment",
            "spark.pyspark.python": "environment/bin/python",
            "spark.pyspark.driver.python": sys.executable,
        }
    return room | {
        "spark.kubernetes.container.image": "nearline-spark:latest",
        "spark.kubernetes.namespace": "nearline",
        "spark.kubernetes.driverEnv.PYTHONPATH": IMAGE_ROOT,
        "spark.executorEnv.PYTHONPATH": IMAGE_ROOT,
        "spark.kubernetes.authenticate.driver.serviceAccountName": "spark",
    }


def _program(master: str) -> str:
    """Where the driver finds the program: on Kubernetes it is part of the image, as are the roots."""
    return f"local://{IMAGE_ROOT}/{PROGRAM}" if master.startswith("k8s://") else str(ROOT / PROGRAM)
