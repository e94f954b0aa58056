"""Matcher and consumer on a real broker, in Confluent framing through a registry that asks who they are."""

import time
from contextlib import closing

import pytest

from schemas.codec import Codec
from schemas.records import Alert, FeatureRecord, SavedSearch
from streaming.kafka import topics
from streaming.kafka.framing import AUTH, RegistrySettings, open_codec
from streaming.kafka.messages import Outgoing
from streaming.tools.replay import WRITES, send_searches
from tests.integration.kafka_stage import Stage
from tests.pipeline.builders import feature
from tests.schemas.registry_server import RegistryServer, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

MAGIC = b"\x00"
NURSES = [
    feature(posting_id=f"nurse-{n}", title="Night nurse", summary="care for patients at night")
    for n in range(20)
]
PAIRS = {("a", record.posting_id) for record in NURSES}


def send_features(stage: Stage, codec: Codec, records: list[FeatureRecord]) -> None:
    """As the feature job does: one framing for the store, another for the topic."""
    stage.store_features(records)
    headers = {"source_ts": str(int(time.time() * 1000)).encode()}
    stage.send(
        [
            Outgoing(topics.FEATURES.name, record.posting_id.encode(), codec.encode(record), headers)
            for record in records
        ]
    )


def start(stage: Stage, server: RegistryServer) -> None:
    registry = ("--schema-registry", server.url)
    stage.start("streaming.matcher", *registry, instance="m")
    group = ("--group", f"{stage.group}-alerts")
    stage.start("streaming.alert_consumer", *registry, *group, "--ranker", "instant:", instance="c")


def test_searches_and_features_in_confluent_framing_end_in_alerts_of_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        server.auth = "ann:secret"
        monkeypatch.setenv(AUTH, server.auth)
        registry = RegistrySettings(url=server.url, auth=server.auth)
        written = {**WRITES, FeatureRecord: topics.FEATURES.name}
        with closing(open_codec(registry, written)) as codec:
            send_searches(stage.kafka, [SavedSearch(search_id="a", query="night nurse")], codec)
            # half of them by a sender that knows no registry: both framings are read
            send_features(stage, codec, NURSES[:10])
            stage.send_features(NURSES[10:])
            start(stage, server)
            stage.until(lambda: sum(m.topic == topics.ALERTS.name for m in stage.seen) == len(PAIRS))
            values = [m.value or b"" for m in stage.seen if m.topic == topics.ALERTS.name]
            alerts = [codec.decode(Alert, value) for value in values]
    assert {(alert.search_id, alert.posting_id) for alert in alerts} == PAIRS
    assert stage.letters() == []
    assert {(m.value or b"")[:1] for m in stage.seen} == {MAGIC}
    assert {"score.requests-value", "alerts-value"} <= set(server.registry.subjects())
