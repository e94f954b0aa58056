"""Runs one peer as a process: `python -m benchmarks.feature_job.peers quix --bootstrap ...`; SIGTERM ends it."""

import argparse
from contextlib import closing

from benchmarks.common import feature_worker
from benchmarks.feature_job.peers import plain
from benchmarks.feature_job.peers.confluent import ConfluentSink, ConfluentSource
from benchmarks.feature_job.peers.kafka_python import KafkaPythonSink, KafkaPythonSource
from streaming.features.worker import FeatureWorker
from streaming.kafka.settings import KafkaSettings
from streaming.process import lifecycle

PEERS = ("quix", "quix-one-by-one", "kafka-python", "confluent")


def main() -> None:
    """Run one peer until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_job.peers")
    parser.add_argument("peer", choices=PEERS)
    for name in ("--bootstrap", "--store", "--group"):
        parser.add_argument(name, required=True)
    parser.add_argument("--batch-size", type=int, default=1000)
    given = parser.parse_args()
    with closing(feature_worker.worker(given.store)) as work:
        if given.peer.startswith("quix"):
            from benchmarks.feature_job.peers import quix  # takes a second to load

            if given.peer == "quix":
                out = ConfluentSink(given.bootstrap)
                quix.in_batches(given.bootstrap, given.group, work, out, given.batch_size)
            else:
                quix.one_by_one(given.bootstrap, given.group, work)
        else:
            _run_plain(given, work)


def _run_plain(given: argparse.Namespace, work: FeatureWorker) -> None:
    stop = lifecycle.stop_on_signals()
    source: KafkaPythonSource | ConfluentSource
    sink: KafkaPythonSink | ConfluentSink
    if given.peer == "kafka-python":
        kafka = KafkaSettings(bootstrap=given.bootstrap)
        sink = KafkaPythonSink(kafka)
        source = KafkaPythonSource(kafka, given.group, given.batch_size)
    else:
        sink = ConfluentSink(given.bootstrap)
        source = ConfluentSource(given.bootstrap, given.group, given.batch_size, sink.flush)
    with closing(source), closing(sink):
        plain.run(source, sink, work, stop.is_set)


if __name__ == "__main__":
    main()
