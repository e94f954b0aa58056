"""The search service as a process against a real broker: a record that is sent is found."""

import signal
import time

import httpx
import pytest

from nearline.page.search import ServiceSearcher
from nearline.stack.tools import free_port
from schemas.errors import NearlineError
from tests.integration.kafka_stage import Stage
from tests.pipeline.builders import feature

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def found(url: str, query: str) -> set[str]:
    try:
        answer = ServiceSearcher(url).search({"query": query})
    except NearlineError:
        return set()
    return {one["posting_id"] for one in answer["results"]}


def test_a_feature_record_is_found_within_a_second_of_its_message(stage: Stage) -> None:
    stage.store_features([feature(posting_id="before", title="Night nurse")])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stage.start(
        "streaming.search_service",
        "--ranker",
        "instant:",
        "--embedder",
        "instant:",
        "--port",
        str(port),
        grouped=False,
    )
    stage.until(lambda: found(url, "nurse") == {"before"})

    sent_s = time.monotonic()
    stage.send_features([feature(posting_id="new", title="Head nurse")])
    stage.until(lambda: found(url, "nurse") == {"before", "new"})
    assert time.monotonic() - sent_s < 5

    process = stage.processes[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, stage.logs()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")
