import pytest

pytest.importorskip("confluent_kafka", reason="the extra `bench` is not installed")

from benchmarks.common.settings import FeatureJobBenchmark
from benchmarks.feature_job.benchmark import at_most, contenders, grid, runs, shipped
from benchmarks.feature_job.contenders import FeatureJob, JobSetup, Peer
from nearline.stack.settings import StackSettings

SHIPPED = shipped("instant")


def test_the_job_with_the_peers_batches_and_with_those_for_models_meets_every_peer() -> None:
    plan = contenders(FeatureJobBenchmark())
    assert plan[:2] == [FeatureJob(parallelism=4, batch_size=4000), FeatureJob(parallelism=2, batch_size=64)]
    peers = [contender for contender in plan if isinstance(contender, Peer)]
    assert {(one.peer, one.processes) for one in peers} == {
        ("quix", 1),
        ("quix", 2),
        ("confluent", 1),
        ("confluent", 2),
        ("kafka-python", 1),
        ("quix-one-by-one", 1),
    }


def test_only_keeps_the_shipped_job_and_the_contenders_that_it_names() -> None:
    plan = contenders(FeatureJobBenchmark(only="confluent 2,quix 2"))
    assert [one.name for one in plan] == [SHIPPED.name, "quix, 2 processes", "confluent, 2 processes"]


def test_a_part_that_is_left_out_has_no_runs() -> None:
    assert runs([], JobSetup(broker=StackSettings(), sync="os"), 10, 3, []) == []


def test_contenders_have_names_of_their_own() -> None:
    names = [contender.name for contender in contenders(FeatureJobBenchmark())]
    assert len(set(names)) == len(names)


def test_the_sweep_covers_the_shipped_batch_sizes_and_parallelism() -> None:
    swept = {contender.name for contender in grid(FeatureJobBenchmark())}
    assert {shipped("instant").name, shipped("tiny").name} <= swept


def test_a_cap_never_gives_more_than_a_contender_takes() -> None:
    assert at_most(SHIPPED, 500).most == 500
    assert at_most(Peer(peer="kafka-python", most=100), 500).most == 100
