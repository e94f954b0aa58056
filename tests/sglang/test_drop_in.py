"""The same feature job and alert consumer on real SGLang servers, which they know by URL alone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.engine.sglang import SglangConfig
from models.client.http import ClientConfig
from models.client.remote import HttpRanker
from models.prompts import Prompter
from nearline.stack import daemon
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port, free_port_base
from pipeline.scoring.items import item_of
from schemas.events import read_events
from schemas.records import FeatureRecord
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka.settings import KafkaSettings
from streaming.tools.replay import replay_updates, send_searches
from tests.faults import verify, world
from tests.models.running import process
from tests.sglang.cases import TOLERANCE
from tests.support.sglang import SglangServer, device

pytestmark = [pytest.mark.sglang, pytest.mark.usefixtures("needs_sglang"), pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[2]
RANKER = SUMMARIZER = ROOT / "models/checkpoints" / "ranker-tiny"
"""Both: the shipped summarizer is extractive, which SGLang does not serve; any causal model writes something."""
EVENTS = list(islice(read_events(world.SAMPLE / "stream.jsonl"), 40))
SEARCHES = world.sample_searches()


def ranker_at(url: str) -> HttpRanker:
    return HttpRanker(url, Prompter.from_dir(RANKER), ClientConfig())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Ranker and summarizer, under generations that no other server has."""
    logs = tmp_path_factory.mktemp("servers")
    ranker = SglangConfig(model=RANKER, name="ranker@7", port=free_port(), device=device(), dtype="float32")
    summarizer = SglangConfig(
        model=SUMMARIZER,
        name="summarizer@9",
        port=free_port(),
        device=device(),
        dtype="float32",
        more=("--disable-overlap-schedule",),
    )
    with SglangServer(ranker, logs) as one, SglangServer(summarizer, logs) as other:
        yield one.url, other.url


@pytest.fixture(scope="module")
def stack(servers: tuple[str, str]) -> Iterator[StackSettings]:
    """A stack that has seen the head of the sample stream."""
    home = ROOT / "build" / f"sglang-{os.getpid()}"
    settings = StackSettings(
        home=home,
        port_base=free_port_base(range(15_000, 27_000, 100)),
        models=",".join(servers),
        ranker_dir=RANKER,
        summarizer_dir=SUMMARIZER,
        parallelism=1,
        batch_size=3,  # an SGLang on two cores takes seconds for each summary
        checkpoint_s=2.0,
    )
    daemon.up(settings)
    try:
        kafka = KafkaSettings(bootstrap=settings.bootstrap)
        send_searches(kafka, SEARCHES)
        replay_updates(kafka, enumerate(EVENTS, start=1), rate_per_s=20)
        world.await_end(settings, len(EVENTS), timeout_s=900).close()
        yield settings
    finally:
        daemon.down(home)
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def features(stack: StackSettings) -> list[FeatureRecord]:
    with closing(open_store(stack.store_url)) as store:
        return list(FeatureStore(store).scan())


@pytest.fixture(scope="module")
def evidence(stack: StackSettings) -> verify.Evidence:
    return verify.gather(KafkaSettings(bootstrap=stack.bootstrap))


@pytest.fixture(scope="module")
def our_ranker() -> Iterator[HttpRanker]:
    settings = ("--dtype", "float32", "--device", "cpu", "--threads", "1")
    with process("--ranker", str(RANKER), *settings) as (_, url), closing(ranker_at(url)) as ranker:
        yield ranker


def test_the_summaries_are_those_of_the_sglang(features: list[FeatureRecord]) -> None:
    summarized = [record for record in features if record.summary]
    assert len(summarized) > 20
    assert {record.model for record in summarized} == {"summarizer@9"}


def test_alerts_come_out_with_the_scores_that_our_server_gives_the_same_features(
    evidence: verify.Evidence, our_ranker: HttpRanker
) -> None:
    assert len(evidence.alerts) > 5
    assert {alert.model for alert in evidence.alerts} == {"ranker@7"}
    for alert in evidence.alerts:
        records = evidence.published[alert.posting_id, alert.version]
        ours = our_ranker.score_many(alert.query, [item_of(record) for record in records], 60.0)
        assert min(abs(score - alert.p_yes) for score in ours) <= TOLERANCE


def test_both_servers_score_every_pair_of_search_and_posting_alike(
    servers: tuple[str, str], features: list[FeatureRecord], our_ranker: HttpRanker
) -> None:
    items = [item_of(record) for record in features]
    with closing(ranker_at(servers[0])) as sglang:
        for search in SEARCHES[:12]:
            theirs, ours = (r.score_many(search.query, items, 60.0) for r in (sglang, our_ranker))
            assert max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) <= TOLERANCE
