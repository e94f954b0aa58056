"""Creates the missing topics of the table: `python -m streaming.create_topics --bootstrap HOST:PORT`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from streaming.kafka.admin import create_topics, wait_for_topics
from streaming.kafka.settings import KafkaSettings
from streaming.process import lifecycle


def main(argv: Sequence[str] | None = None) -> int:
    """Create and print the names; topics that exist stay as they are. Waits for brokers that start late."""
    parser = argparse.ArgumentParser(prog="python -m streaming.create_topics", description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT,...", help="Kafka's brokers")
    bootstrap = parser.parse_args(argv).bootstrap

    def work(stopped: Callable[[], bool]) -> None:
        kafka = KafkaSettings.from_env(os.environ, bootstrap=bootstrap)
        if wait_for_topics(kafka, (), stopped):
            for name in create_topics(kafka):
                sys.stdout.write(f"{name}\n")

    return lifecycle.work_until_stopped(work)


if __name__ == "__main__":
    sys.exit(main())
