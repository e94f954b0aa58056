"""Create the system's topics on any brokers: `python -m streaming.create_topics --bootstrap HOST:PORT`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from streaming.kafka.admin import create_topics, wait_for_topics
from streaming.kafka.settings import KafkaSettings
from streaming.process import lifecycle


def main(argv: Sequence[str] | None = None) -> int:
    """Wait for the brokers, create the topics that are missing and print their names; others stay as they are."""
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
