"""The client of /v1/embeddings: our server, foreign ones, and what they do wrong."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from fastapi.responses import JSONResponse

from models.client.embedder import HttpEmbedder, Place, open_embedder, place_of
from models.client.embeddings import read_vectors
from models.client.http import ClientConfig
from models.client.responses import SuspectInput
from models.embedder import Embedder, HashingEmbedder
from models.engine.batcher import BatchConfig
from models.server import Limits
from models.server.app import create_app
from models.server.embeddings import EmbeddingEngine
from models.server.service import ServedModels, host_embedder
from models.vectors import unpack
from schemas.errors import ConfigError, ModelUnavailable
from tests.models.running import running
from tests.models.scripted import FAST, POISON, Scripted, status

ROUTE = "/v1/embeddings"


class Foreign(Scripted):
    """A server of OpenAI's shape that answers the length and the first letter of each text."""

    width = 3

    def good(self, route: str, body: Any) -> JSONResponse:
        if route != ROUTE:
            return super().good(route, body)  # type: ignore[return-value]  # a JSON answer for /v1/models
        rows = [[len(text), ord(text[0]), *[1.0] * (self.width - 2)] for text in body["input"]]
        data = [{"index": i, "embedding": row} for i, row in enumerate(rows)]
        return JSONResponse({"data": data[::-1], "model": body["model"]})


def refuses(body: Any) -> Any:
    return status(413) if any(POISON in text for text in body.get("input", [])) else None


@pytest.fixture
def foreign() -> Iterator[tuple[Foreign, str]]:
    scripted = Foreign(names=("bge-small",))
    with running(scripted.app()) as url:
        yield scripted, url


@pytest.fixture
def opened() -> Iterator[Any]:
    made: list[HttpEmbedder] = []

    def open_(url: str, config: ClientConfig = FAST) -> HttpEmbedder:
        made.append(HttpEmbedder(url, config))
        return made[-1]

    yield open_
    for embedder in made:
        embedder.close()


def test_our_server_gives_the_vectors_of_its_embedder_and_knows_queries_from_postings(opened: Any) -> None:
    class Apart(HashingEmbedder):
        def embed_queries(self, texts: Any, deadline_s: float) -> list[bytes]:
            return super().embed_queries([f"query {text}" for text in texts], deadline_s)

    hosted = host_embedder(EmbeddingEngine(Apart(32, "embedder@4")), BatchConfig())
    texts = [f"nurse number{n}" for n in range(150)] + ["  ", "cook"]
    with closing(hosted.batcher), running(create_app(ServedModels(embedder=hosted), Limits())) as url:
        embedder = opened(url)
        assert (embedder.model, embedder.width) == ("", 0)
        queries, postings = embedder.embed_queries(texts, 5.0), embedder.embed_postings(texts, 5.0)
    assert (embedder.model, embedder.width) == ("embedder@4", 32)
    words = [text for text in texts if text.strip()]
    close([one for one in queries if one], Apart(32).embed_queries(words, 1.0))
    close(postings, Apart(32).embed_postings(texts, 1.0))
    assert (queries[150], queries[151] != postings[151]) == (b"", True)


def close(found: list[bytes], wanted: list[bytes]) -> None:
    assert [len(one) for one in found] == [len(one) for one in wanted]
    kept = [at for at, one in enumerate(wanted) if one]
    a, b = unpack([found[at] for at in kept], 32), unpack([wanted[at] for at in kept], 32)
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_a_foreign_server_is_asked_as_openai_is_and_tells_model_and_width(
    foreign: tuple[Foreign, str], opened: Any
) -> None:
    scripted, url = foreign
    embedder = opened(f"{url}?query_prefix=query:%20")
    (vector,) = embedder.embed_queries([" night  nurse "], 5.0)
    _, body, _ = scripted.seen[-1]
    assert body == {"input": ["query: night nurse"], "encoding_format": "float", "model": "bge-small"}
    assert (embedder.model, embedder.width) == ("bge-small", 3)
    row = np.array([18.0, ord("q"), 1.0])
    np.testing.assert_allclose(unpack([vector], 3)[0], row / np.linalg.norm(row), atol=1e-3)


def test_a_model_that_is_named_is_asked_without_the_list(foreign: tuple[Foreign, str], opened: Any) -> None:
    scripted, url = foreign
    opened(f"{url}?model=e5").embed_postings(["nurse"], 5.0)
    assert [route for route, _, _ in scripted.seen] == [ROUTE]
    assert scripted.seen[0][1]["model"] == "e5"


def test_of_several_models_one_has_to_be_named_unless_it_is_called_embedder(
    foreign: tuple[Foreign, str], opened: Any
) -> None:
    scripted, url = foreign
    scripted.names = ("a", "b")
    with pytest.raises(ModelUnavailable, match=r"\['a', 'b'\].*\?model=NAME"):
        opened(url).embed_postings(["nurse"], 5.0)
    scripted.names = ("a", "embedder@3")
    embedder = opened(url)
    embedder.embed_postings(["nurse"], 5.0)
    assert embedder.model == "embedder@3"


def test_only_the_text_that_is_refused_has_no_vector(foreign: tuple[Foreign, str], opened: Any) -> None:
    scripted, url = foreign
    scripted.hurt_by = refuses
    vectors = opened(url).embed_postings(["nurse", "cook", f"a {POISON}", "clerk"], 9.0)
    assert [bool(vector) for vector in vectors] == [True, True, False, True]


def test_a_server_that_refuses_everything_is_an_outage(foreign: tuple[Foreign, str], opened: Any) -> None:
    scripted, url = foreign
    scripted.hurt_by = lambda _: status(413)
    with pytest.raises(ModelUnavailable, match="not this input alone"):
        opened(url).embed_postings(["nurse"], 5.0)


def test_a_server_that_is_busy_is_asked_again_and_one_that_is_away_is_an_outage(
    foreign: tuple[Foreign, str], opened: Any
) -> None:
    scripted, url = foreign
    scripted.replies[ROUTE] = [status(503), status(429)]
    embedder = opened(url)
    assert embedder.embed_postings(["nurse"], 5.0) != [b""]
    with pytest.raises(ModelUnavailable):
        opened("http://127.0.0.1:9").embed_postings(["nurse"], 0.3)


def test_a_server_that_never_answers_ends_with_the_deadline(
    foreign: tuple[Foreign, str], opened: Any
) -> None:
    scripted, url = foreign
    scripted.replies["/v1/models"] = [3.0]
    with pytest.raises(ModelUnavailable, match="deadline"):
        opened(url).embed_postings(["nurse"], 0.2)


def test_a_model_whose_width_changes_is_never_compared_with_itself(
    foreign: tuple[Foreign, str], opened: Any
) -> None:
    scripted, url = foreign
    embedder = opened(url)
    embedder.embed_postings(["nurse"], 5.0)
    scripted.width = 4
    with pytest.raises(ModelUnavailable, match="width 4 that had 3 before"):
        embedder.embed_postings(["nurse"], 5.0)


def test_two_models_that_answer_one_call_are_an_outage(foreign: tuple[Foreign, str], opened: Any) -> None:
    scripted, url = foreign
    scripted.replies[ROUTE] = [{"model": "other"}]
    with pytest.raises(ModelUnavailable, match="changed during one request"):
        opened(url).embed_postings([f"nurse {n}" for n in range(65)], 5.0)


GOOD = {"index": 0, "embedding": [3.0, 4.0]}


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        [GOOD, GOOD],
        ["x"],
        [{"index": 1, "embedding": [1.0]}],
        [{"index": None, "embedding": [1.0]}],
        [{"embedding": []}],
        [{"embedding": [True, 2.0]}],
        [{"embedding": "###"}],
        [{"embedding": "AAA="}],
        [{"embedding": None}],
        [{"embedding": [0.5] * 9_000}],
        [{"embedding": [10**400]}],
    ],
)
def test_an_answer_in_another_shape_is_no_vector(rows: Any) -> None:
    with pytest.raises(SuspectInput):
        read_vectors({"data": rows, "model": "m"}, 1)


def test_numbers_that_are_not_finite_and_zeros_are_no_vector() -> None:
    rows = [
        {"index": n, "embedding": row} for n, row in enumerate([[float("nan"), 1.0], [0.0, 0.0], [3.0, 4.0]])
    ]
    assert [bool(v) for v in read_vectors({"data": rows, "model": "m"}, 3).vectors] == [False, False, True]


def test_a_url_names_an_embedder_or_says_what_is_wrong() -> None:
    stand_in: Embedder = open_embedder("instant:7")
    assert (stand_in.model, open_embedder("instant:").model) == ("hashing@7", "hashing@1")
    assert place_of("https://h:1/x?model=a&posting_prefix=p:%20") == Place(
        url="https://h:1/x", model="a", posting_prefix="p: "
    )
    for wrong, message in (("ftp://h", "no model server"), ("http://h?nodel=a", "nodel is no setting")):
        with pytest.raises(ConfigError, match=message):
            open_embedder(wrong)
