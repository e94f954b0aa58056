"""Create the system's topics on any brokers: `python -m streaming.create_topics --bootstrap HOST:PORT`."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from schemas import arguments
from schemas.settings import Option
from streaming.kafka.admin import create_topics, wait_for_topics
from streaming.kafka.settings import KafkaSettings
from streaming.process import lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """Where topics are created."""

    bootstrap: Annotated[str, Option("Kafka's brokers.", metavar="HOST:PORT,...")]


def main(argv: Sequence[str] | None = None) -> int:
    """Wait for the brokers, create the topics that are missing and print their names; others stay as they are."""
    bootstrap = arguments.parse(
        TopicSettings, argv, prog="python -m streaming.create_topics", description=__doc__
    ).bootstrap

    def work(stopped: Callable[[], bool]) -> None:
        kafka = KafkaSettings.from_env(os.environ, bootstrap=bootstrap)
        if wait_for_topics(kafka, (), stopped):
            for name in create_topics(kafka):
                sys.stdout.write(f"{name}\n")

    return lifecycle.work_until_stopped(work)


if __name__ == "__main__":
    sys.exit(main())
