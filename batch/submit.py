"""The `spark-submit` command that runs a backfill on a cluster, and the zip of our packages that it sends."""

import importlib.util
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from batch.settings import BackfillSettings
from pipeline.pyfiles import build_zip
from schemas.errors import ConfigError
from schemas.settings import to_argv

#: The driver's program. It is in `nearline`, because it puts `batch` and `streaming` together.
PROGRAM = "nearline/backfill_program.py"
ROOT = Path(__file__).parents[1]
#: Where our packages are in the container image for Spark.
IMAGE_ROOT = "/opt/nearline"
MASTERS = ("local", "spark://", "yarn", "k8s://")


#: No speculation: a second attempt beside a slow one would call the model server for the same texts. Up to 8 attempts
#: of a task: each goes on from the ledger.
_COMMON = {"spark.speculation": "false", "spark.task.maxFailures": "8", "spark.log.level": "WARN"}


def check_master(settings: BackfillSettings, master: str) -> None:
    """Raise ConfigError for a master that Spark does not know, or one whose workers cannot reach the store."""
    if not master.startswith(MASTERS):
        raise ConfigError(
            f"master {master!r}: give local[N], spark://host:port, yarn or k8s://https://host:port"
        )
    settings.check_master(master)


def ship(target: Path) -> Path:
    """Build the zip that every worker imports from, and return its path."""
    return build_zip(target, "batch", "streaming", "nearline")


def command(
    settings: BackfillSettings, master: str, pyfiles: str, *, conf: Mapping[str, str] | None = None
) -> list[str]:
    """The `spark-submit` command: the master's own settings, overridden by `conf`, then the program and its arguments.

    Raises ConfigError as `check_master` does, and without PySpark.
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
    """The command quoted for a shell."""
    return " ".join(map(shlex.quote, line))


def spark_home() -> Path:
    """The folder of the Spark that pip installed. Raises ConfigError when the extra is missing."""
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
        # this Python environment, packed by conda-pack or venv-pack, which the nodes unpack
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
    """Where the driver finds the program: on Kubernetes in the image, as our packages."""
    return f"local://{IMAGE_ROOT}/{PROGRAM}" if master.startswith("k8s://") else str(ROOT / PROGRAM)
