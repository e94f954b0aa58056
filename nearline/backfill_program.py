"""The program that `spark-submit` starts for a backfill: reads its command line and runs it in Spark's session."""

import logging
import os
import sys
from dataclasses import replace

from pyspark.sql import SparkSession

from batch.backfill import backfill
from batch.settings import BackfillSettings
from batch.spark import SparkEngine, session
from nearline.publishing import publisher_of
from schemas import arguments
from schemas.errors import NearlineError, exit_status
from storage.couchbase.url import with_login


def main() -> None:
    """Run the backfill and write its report to standard output; an error is one line on standard error.

    Exit status 2: a setting that cannot work; 1: an outage.
    """
    logging.basicConfig(level=logging.WARNING)
    try:
        settings = arguments.parse(
            BackfillSettings, None, prog="spark-submit ... backfill_program.py", description=__doc__
        )
        settings = replace(settings, store_url=with_login(settings.store_url, os.environ))
        engine = SparkEngine(
            lambda: session(SparkSession.builder, settings.parallelism), settings.parallelism
        )
        report = backfill(settings, engine, _tell, publisher_of(settings, os.environ))
    except NearlineError as error:
        sys.stderr.write(f"backfill: {error}\n")
        sys.exit(exit_status(error))
    sys.stdout.buffer.write(report.to_json())


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
