"""The server under two policies: the same answers, and fewer tokens computed where requests of one query wait."""

import threading
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from typing_extensions import override

from models.engine.base import ScoreJob
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.engine.scheduling.choosing import PolicyName
from models.server.config import ServeConfig
from tests.models.running import SCORE, eventually, post, serving

REQUESTS = [
    SCORE | {"query": [query] * 20, "items": [[query, first, 9], [first, 8]]}
    for first, query in enumerate([50, 60, 70] * 3, start=100)
]


class Gated(InstantEngine):
    """Waits for `go`, and notes the queries of each batch."""

    def __init__(self) -> None:
        super().__init__("ranker@0", None)
        self.go = threading.Event()
        self.batches: list[list[int]] = []

    @override
    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """Wait, then score."""
        self.go.wait(9)
        self.batches.append([job.prefix[0] for job in jobs])
        return super().score_many(jobs)


def answers(policy: PolicyName) -> tuple[list[Any], list[list[int]]]:
    """Scores of all requests, which wait behind one that is being computed, and the queries of each batch."""
    engine, found = Gated(), dict[int, Any]()

    def ask(number: int, body: dict[str, Any]) -> None:
        found[number] = post(url, "score", body).json()["scores"]

    with serving(engine, batching=BatchConfig(policy=policy, batch_jobs=3)) as url:
        threads = []
        for number, body in enumerate([SCORE, *REQUESTS]):
            threads.append(threading.Thread(target=ask, args=(number, body)))
            threads[-1].start()
            eventually(lambda asked=8.0 + 25 * number: pending(url) == asked, wanted=True)
        engine.go.set()
        for thread in threads:
            thread.join()
    return [found[number] for number in range(len(found))], engine.batches[1:]


def pending(url: str) -> float:
    page = httpx.get(f"{url}/metrics").text
    return float(page.partition('nearline_model_pending_tokens{task="score"} ')[2].partition("\n")[0])


@pytest.fixture(scope="module")
def oldest_first() -> tuple[list[Any], list[list[int]]]:
    return answers(PolicyName.FCFS)


def test_fcfs_computes_requests_in_their_order(oldest_first: tuple[list[Any], list[list[int]]]) -> None:
    assert oldest_first[1] == [[50, 60, 70]] * 3


@pytest.mark.parametrize("policy", [PolicyName.LPM, PolicyName.HRRN, PolicyName.DENSITY])
def test_another_policy_computes_requests_of_one_query_together_and_answers_the_same(
    policy: PolicyName, oldest_first: tuple[list[Any], list[list[int]]]
) -> None:
    scores, batches = answers(policy)
    assert scores == oldest_first[0]
    if (
        policy is not PolicyName.HRRN
    ):  # which takes a second of a query before the first of another only by length
        assert sorted(batches) == [[query] * 3 for query in (50, 60, 70)]


def test_the_server_ships_with_density_for_its_ranker_and_fcfs_for_its_summarizer() -> None:
    config = ServeConfig()
    assert (config.ranker_batching.policy, config.summarizer_batching.policy) == (
        PolicyName.DENSITY,
        PolicyName.FCFS,
    )
