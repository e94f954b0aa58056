"""Topics deleted and created anew while matcher and alert consumer run: no pair alerts twice, none is left out."""

from collections import Counter

import pytest

from nearline.stack.processes import wait_until
from schemas.records import FeatureRecord, SavedSearch
from streaming.kafka import topics
from streaming.kafka.admin import create_topics
from tests.integration.kafka_stage import Stage
from tests.pipeline.builders import feature

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

POSTINGS = 10


def nurse(number: int) -> FeatureRecord:
    return feature(posting_id=f"nurse-{number}", title="Night nurse", summary="care for patients at night")


def searches(ids: str) -> list[SavedSearch]:
    return [SavedSearch(search_id=one, query="night nurse", threshold=0.6) for one in ids]


def alerted(stage: Stage) -> Counter[tuple[str, str]]:
    return Counter((alert.search_id, alert.posting_id) for alert in stage.alerts())


def every(ids: str, postings: int) -> Counter[tuple[str, str]]:
    return Counter({(search, f"nurse-{n}"): 1 for search in ids for n in range(postings)})


def create_anew(stage: Stage, topic: topics.Topic) -> None:
    stage.delete_topic(topic.name)
    assert wait_until(lambda: create_topics(stage.kafka, (topic,)) == [topic.name], 60, 0.5)


@pytest.mark.parametrize(
    "topic", [topics.SEARCHES, topics.FEATURES, topics.SCORE_REQUESTS, topics.ALERTS], ids=lambda t: t.name
)
def test_no_pair_alerts_twice_and_none_is_left_out(stage: Stage, topic: topics.Topic) -> None:
    stage.send_searches(searches("abc"))
    stage.send_features([nurse(n) for n in range(POSTINGS)])
    stage.start("streaming.matcher")
    stage.start("streaming.alert_consumer", "--ranker", "instant:", "--group", f"{stage.group}-alerts")
    stage.until(lambda: alerted(stage) == every("abc", POSTINGS), 180)
    create_anew(stage, topic)
    if topic is topics.SEARCHES:
        # the set is sent again in another order, with a new search where one stood that was matched
        stage.send_searches(searches("dcba"))
        wanted = every("dcba", POSTINGS)
    else:
        stage.send_features([nurse(n) for n in range(POSTINGS + 2)])
        wanted = every("abc", POSTINGS + 2)
    stage.until(lambda: set(alerted(stage)) == set(wanted), 180)
    stage.quiet(8)
    assert alerted(stage) == wanted
