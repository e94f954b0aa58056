"""The description of the search service's routes that the repository holds is the one that the service gives."""

import json
from pathlib import Path

from streaming.searching.description import description
from tests.streaming.searching.test_service import Service

PAGE = Path(__file__).parents[3] / "docs" / "search-openapi.json"


def test_the_committed_description_is_what_the_code_gives() -> None:
    assert PAGE.read_text() == description(), "write it anew: make openapi"


def test_a_service_gives_the_same_description_and_it_names_every_field_of_a_request() -> None:
    assert Service().client.get("/openapi.json").json() == json.loads(description())
    body = json.loads(description())["components"]["schemas"]["SearchBody"]
    assert set(body["properties"]) == {"query", "dropped", "set", "limit", "cursor"}
    assert body["additionalProperties"] is False
