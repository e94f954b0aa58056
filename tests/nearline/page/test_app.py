"""What a browser gets over HTTP: files, events, one posting, one pair, dead letters, search; and what is refused."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from nearline.page import app
from nearline.page.desk import pieces
from nearline.page.local import LocalStage
from pipeline.search.wanted import wanted
from pipeline.understanding.rules import RuleUnderstanding
from schemas.events import BrokenLine
from streaming.searching import bodies
from tests.nearline.page.stage import sample, served, staged

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(scope="module")
def stage() -> LocalStage:
    """Forty events and one that is broken; no rate, so that all are due at once."""
    return staged([*sample(40), BrokenLine(number=41, data=b"{broken", reason="no JSON")])


@pytest.fixture(scope="module")
def client(stage: LocalStage) -> Iterator[httpx.Client]:
    with (
        served(stage) as address,
        httpx.Client(base_url=address, headers={"origin": address}) as client,
    ):
        yield client


def events(client: httpx.Client, kinds: set[str], last_id: str = "") -> Iterator[dict[str, Any]]:
    """The stream's events of these kinds: {event, id, data}."""
    headers = {"last-event-id": last_id} if last_id else {}
    with client.stream("GET", "/api/events", headers=headers, timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found: dict[str, Any] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                found[name] = json.loads(value) if name == "data" else value
            elif found:
                if found.get("event") in kinds:
                    yield found
                found = {}


def until(client: httpx.Client, kind: str, total: int) -> list[dict[str, Any]]:
    """The events of one kind until so many items were seen; the stream is closed then."""
    found = []
    for event in events(client, {kind}):
        found.append(event)
        if event["data"]["total"] >= total:
            return found
    raise AssertionError("the stream ended")


def test_postings_alerts_and_dead_letters_come_as_they_are_written(client: httpx.Client) -> None:
    postings = [item for event in until(client, "postings", 40) for item in event["data"]["items"]]
    assert len(postings) == 40
    first = postings[0]
    assert first["title"]
    assert first["outcome"] == "summarized"
    assert first["summary"]
    assert first["late_ms"] >= 0
    alerts = [item for event in until(client, "alerts", 1) for item in event["data"]["items"]]
    assert {"query", "title", "p_yes", "reason", "search_id", "posting_id"} <= alerts[0].keys()
    (letter,) = until(client, "letters", 1)[0]["data"]["items"]
    assert letter["begins"] == "{broken"
    assert letter["whole"]


def test_a_browser_that_connects_again_gets_what_came_meanwhile_and_nothing_twice(
    client: httpx.Client,
) -> None:
    seen = until(client, "postings", 40)
    again = next(events(client, {"postings", "restarted"}, last_id=seen[-2]["id"]))
    assert (again["id"], again["event"]) == (seen[-1]["id"], "postings")
    assert next(events(client, {"restarted"}, last_id="other-1-1"))["data"] == {}


def test_a_posting_is_its_text_cut_where_the_summary_keeps_it(client: httpx.Client) -> None:
    item = until(client, "postings", 40)[0]["data"]["items"][0]
    found = client.get("/api/posting", params={"id": item["posting_id"]}).json()
    assert found["verbatim"]
    assert [piece["kept"] for piece in found["text"]].count(True) >= 1
    kept = [piece["text"] for piece in found["text"] if piece["kept"]]
    assert all(phrase in found["summary"] for phrase in kept)


def test_each_alert_leads_to_the_explanation_of_its_pair(client: httpx.Client) -> None:
    alert = until(client, "alerts", 1)[0]["data"]["items"][0]
    pair = {"search": alert["search_id"], "posting": alert["posting_id"]}
    found = client.get("/api/pair", params=pair).json()
    assert found["fate"] == "suppressed"
    steps = {step["name"]: step for step in found["steps"]}
    assert {"state", "location", "words", "score", "ledger"} <= steps.keys()
    assert {step["passed"] for step in found["steps"]} == {"yes", "told"}
    assert steps["ledger"]["found"].startswith("this opening's alert was sent")
    assert found["search"]["query"] == alert["query"]
    assert client.get("/pair", params=pair).text.startswith("<!doctype html>")


def test_what_does_not_exist_is_404_with_one_line_that_says_so(client: httpx.Client) -> None:
    for path in (
        "/api/posting?id=none",
        "/api/pair?search=none&posting=none",
        "/api/letter?partition=0&offset=99",
    ):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "no " in answer.json()["error"]


def test_a_search_finds_open_postings_and_says_how(client: httpx.Client) -> None:
    until(client, "postings", 40)
    found = client.post("/api/search", json={"query": "nurse"}).json()
    assert found["results"]
    assert all(item["state"] == "open" for item in found["results"])
    assert found["words"] == ["nurse"]
    assert "by words alone" in found["notes"][0]
    assert client.post("/api/search", json={"query": "the of and"}).json()["results"] == []
    assert client.post("/api/search", json={"query": "x" * 10_000}).status_code == 422


def test_a_question_of_the_page_is_one_that_the_search_service_takes() -> None:
    by_hand = {"location": "Leeds", "radius_km": "20", "remote": "no", "must_not": ["nights"]}
    asked = app.SearchBody.model_validate({"query": "nurse", "dropped": ["pay_from"], "set": by_hand})
    taken = bodies.SearchBody.model_validate(asked.model_dump()).request()
    understood = wanted(taken.query, taken.corrections, RuleUnderstanding()).filters
    assert (understood.location, understood.radius_km, understood.remote) == ("Leeds", 20.0, False)
    assert understood.must_not == ("nights",)


def test_dead_letters_are_listed_shown_and_sent_back_once(client: httpx.Client) -> None:
    until(client, "letters", 1)
    letter = client.get("/api/letters").json()["letters"][-1]
    assert (letter["replayed"], letter["begins"]) == (False, "{broken")
    place = {"partition": 0, "offset": letter["offset"]}
    assert client.get("/api/letter", params=place).json()["value"] == "{broken"
    asked = {"first": letter["offset"], "last": letter["offset"]}
    assert client.post("/api/letters/replay", json=asked).json() == {"sent": 1, "already": 0, "unsendable": 0}
    assert client.post("/api/letters/replay", json=asked).json() == {"sent": 0, "already": 1, "unsendable": 0}
    until(client, "letters", 2)  # it is as broken as before
    assert client.get("/api/letters").json()["letters"][-1]["replayed"]


def test_another_page_of_the_same_browser_can_neither_read_nor_change(client: httpx.Client) -> None:
    asked = {"first": 0, "last": 0}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = client.post("/api/letters/replay", json=asked, headers={"origin": origin})
        assert answer.status_code == 403
    del client.headers["origin"], asked["last"]
    assert client.post("/api/letters/replay", json=asked).status_code == 403
    assert client.get("/api/letters", headers={"host": "evil.example"}).status_code == 403
    client.headers["origin"] = str(client.base_url).rstrip("/")


def test_the_page_loads_nothing_from_elsewhere_and_says_so_to_the_browser(client: httpx.Client) -> None:
    for path in ("/", "/pair", "/static/page.css", "/static/page.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        foreign = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in foreign, path
        assert "https:" not in foreign, path


def test_a_text_is_cut_by_characters_not_by_halves_of_them() -> None:
    assert pieces("a😀bcd", [(1, 3)]) == [
        {"text": "a", "kept": False},
        {"text": "😀b", "kept": True},
        {"text": "cd", "kept": False},
    ]
    assert pieces("", []) == []
