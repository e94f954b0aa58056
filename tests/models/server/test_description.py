"""The description of the routes that the repository holds is the one that the server gives."""

import json
from pathlib import Path

import httpx

from models.engine.instant import InstantEngine
from models.server import Limits
from models.server.description import description
from tests.models.running import serving

PAGE = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_committed_description_is_what_the_code_gives() -> None:
    assert PAGE.read_text() == description(), "write it anew: make openapi"


def test_a_running_server_gives_the_same_description_whatever_its_limits() -> None:
    with serving(InstantEngine("ranker@1"), Limits(items=3)) as url:
        assert httpx.get(f"{url}/openapi.json").json() == json.loads(description())


def test_every_route_has_a_name_of_its_own() -> None:
    paths = json.loads(description())["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    models = {"/v1/models", "/v1/models/{model}"}
    ours = {"/v1/score", "/v1/completions", "/v1/embeddings", "/generative_scoring", "/abort_request"}
    assert set(paths) == {*ours, *models, "/health", "/metrics"}
    assert len(set(names)) == len(names)
