"""POST /v1/embeddings in OpenAI's shape, over the stand-in."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing

import httpx
import numpy as np
import openai
import pytest

from models.embedder import HashingEmbedder
from models.engine.batcher import BatchConfig
from models.server import Limits
from models.server.app import create_app
from models.server.embeddings import EmbeddingEngine, EmbedJob
from models.server.service import ServedModels, host_embedder
from models.vectors import unpack
from tests.models.running import post, running

TEXTS = ["Title: Night nurse\nText: wards", "Title: Cook"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    hosted = host_embedder(EmbeddingEngine(HashingEmbedder(32, "embedder@4")), BatchConfig())
    limits = Limits(items=3, request_tokens=50)
    with closing(hosted.batcher), running(create_app(ServedModels(embedder=hosted), limits)) as address:
        yield address


def embed(url: str, **body: object) -> httpx.Response:
    return post(url, "embeddings", body)


def test_texts_get_the_embedders_vectors_in_their_order(url: str) -> None:
    answer = embed(url, input=TEXTS, model="embedder@1").json()
    wanted = unpack(HashingEmbedder(32).embed_postings(TEXTS, 1.0), 32)
    assert np.array_equal([row["embedding"] for row in answer["data"]], wanted)
    assert [row["index"] for row in answer["data"]] == [0, 1]
    assert (answer["model"], answer["usage"]) == ("embedder@4", {"prompt_tokens": 7, "total_tokens": 7})


def test_one_text_is_a_list_of_one_and_base64_holds_the_same_numbers(url: str) -> None:
    (plain,) = embed(url, input=TEXTS[0], input_type="query").json()["data"]
    (packed,) = embed(url, input=[TEXTS[0]], encoding_format="base64").json()["data"]
    numbers = np.frombuffer(base64.b64decode(packed["embedding"]), "<f4")
    assert numbers.tolist() == plain["embedding"]


def test_openais_client_gets_numbers(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=9) as client:
        answer = client.embeddings.create(model="embedder", input=TEXTS, dimensions=32)
    assert len(answer.data[1].embedding) == 32


def test_a_text_without_words_has_a_vector_of_zeros(url: str) -> None:
    rows = embed(url, input=[" - ", "nurse"]).json()["data"]
    assert [any(row["embedding"]) for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"input": []}, 400, "none of them empty"),
        ({"input": ["nurse", ""]}, 400, "none of them empty"),
        ({"input": [[1, 2]]}, 400, "token ids are not served"),
        ({"input": ["a"] * 4}, 400, "at most 3"),
        ({"input": "nurse " * 51}, 400, "at most 50"),
        ({"input": "nurse", "dimensions": 8}, 400, "have 32"),
        ({"input": "nurse", "truncate": True}, 400, "truncate"),
        ({"input": "nurse", "input_type": "song"}, 400, "input_type"),
        ({"input": "nurse", "model": "ranker"}, 404, "'embedder@4' is"),
        ({}, 400, "input"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(
    url: str, body: dict[str, object], status: int, says: str
) -> None:
    answer = embed(url, **body)
    assert answer.status_code == status
    assert says in answer.json()["message"]


def test_a_passed_deadline_is_a_503_and_counted(url: str) -> None:
    answer = post(url, "embeddings", {"input": "nurse"}, **{"x-deadline-ms": "0"})
    assert answer.status_code == 503
    page = httpx.get(f"{url}/metrics").text
    assert 'refusals_total{reason="deadline passed",route="/v1/embeddings"} 1.0' in page


def test_the_models_card_names_its_task(url: str) -> None:
    (card,) = httpx.get(f"{url}/v1/models").json()["data"]
    assert (card["id"], card["task"]) == ("embedder@4", "embeddings")


def test_without_an_embedder_the_route_says_how_to_start_one() -> None:
    with running(create_app(ServedModels(), Limits())) as address:
        answer = embed(address, input="nurse")
    assert answer.status_code == 404
    assert "--embedder DIR" in answer.json()["message"]


def test_queries_and_postings_of_one_batch_are_embedded_each_as_what_it_is() -> None:
    class Apart(HashingEmbedder):
        def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
            return super().embed_queries([f"query {text}" for text in texts], deadline_s)

    engine = EmbeddingEngine(Apart(32))
    kinds = [True, False, True]
    jobs = [EmbedJob(text=f"nurse {n}", query=kind, tokens=2) for n, kind in enumerate(kinds)]
    wanted = HashingEmbedder(32).embed_queries(["query nurse 0", "nurse 1", "query nurse 2"], 1.0)
    assert engine.embed_many(jobs) == wanted
