import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from models.client import Call, ClientConfig, ModelClient
from models.engine.instant import InstantEngine
from models.prompts import Item, Prompter
from models.ranker import LexicalRanker
from models.remote import HttpRanker, HttpSummarizer, open_ranker, open_summarizer
from models.summarizer import InstantSummarizer, Rejected, Summary, Unavailable
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable
from tests.models.running import free_port, running, serving
from tests.models.tiny import byte_level_tokenizer, word_piece_tokenizer, write_tokenizer

PROMPTER = Prompter(byte_level_tokenizer())
FAST = ClientConfig(backoff_s=0.01, backoff_max_s=0.05, attempt_s=2.0, name_ttl_s=60.0)
POISON = "poison"

Reply = Response | float | dict[str, Any]
"""A response, a wait in seconds before the good answer, or changes to the good answer."""


@dataclass
class Scripted:
    """A model server that gives the listed replies to a route first, then good ones, and keeps what it saw."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    seen: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    names: tuple[str, ...] = ("ranker@4", "summarizer@7")
    hurt_by: Callable[[Any], Reply | None] = lambda _: None
    max_model_len: int = 2048
    healthy: bool = True
    stall_s: tuple[float, float] = (0.0, 0.0)
    running: int = 0
    most_running: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/{path:path}", self.answer, methods=["GET", "POST"])
        return app

    async def answer(self, request: Request) -> Response:
        route = request.url.path
        body = await request.json() if request.method == "POST" else None
        self.seen.append((route, body, dict(request.headers)))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            now = time.monotonic()
            if self.stall_s[0] < now < self.stall_s[1]:
                await asyncio.sleep(self.stall_s[1] - now)
            script = self.replies.get(route, [])
            reply = script.pop(0) if script else (self.hurt_by(body) if body else None)
            if isinstance(reply, Response):
                return reply
            if isinstance(reply, float):
                await asyncio.sleep(reply)
            good = self.good(route, body)
            return good if not isinstance(reply, dict) else JSONResponse({**good_body(good), **reply})
        finally:
            self.running -= 1

    def good(self, route: str, body: Any) -> Response:
        if route == "/health":
            return Response(status_code=200 if self.healthy else 503)
        if route == "/v1/models":
            cards = [{"id": name, "max_model_len": self.max_model_len} for name in self.names]
            return JSONResponse({"data": cards})
        if route == "/v1/score":
            rows = [[0.25, 0.75] for _ in body["items"]]
            return JSONResponse({"scores": rows, "model": body["model"]})
        usage = {"completion_tokens": 3}
        return JSONResponse(
            {"choices": [{"text": " a short summary "}], "usage": usage, "model": body["model"]}
        )

    def count(self, route: str) -> int:
        return sum(seen == route for seen, _, _ in self.seen)


def good_body(response: Response) -> dict[str, Any]:
    import json

    return dict(json.loads(bytes(response.body)))


def status(code: int, **headers: str) -> Response:
    message = {"object": "error", "message": f"status {code}", "type": "x", "code": code}
    return JSONResponse(message, code, {name.replace("_", "-"): value for name, value in headers.items()})


def is_poison(body: Any) -> bool:
    """Whether the prompt holds the word `poison`."""
    ids = body.get("prompt") or [id_ for item in body["items"] for id_ in item]
    return POISON in PROMPTER._tokenizer.decode(ids)


@pytest.fixture
def server() -> Iterator[tuple[Scripted, str]]:
    scripted = Scripted()
    with running(scripted.app()) as url:
        yield scripted, url


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """Rankers and summarizers that are closed when the test ends."""
    made: list[HttpRanker | HttpSummarizer] = []

    def open_(kind: type[Any], url: str, config: ClientConfig = FAST) -> Any:
        made.append(kind(url, PROMPTER, config))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def item(text: str) -> Item:
    return Item(title=text, company=None, location=None, employment_type=None, remote=None, text="")


def items(count: int) -> list[Item]:
    return [item(f"posting {i}") for i in range(count)]


def test_a_ranker_gives_the_yes_probability_of_each_item_and_learns_its_generation(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    ranker = opened(HttpRanker, url)
    assert ranker.model == "ranker@4"
    assert ranker.score_many("nurse", items(3), 5.0) == [0.25] * 3
    (_, body, headers) = scripted.seen[-1]
    assert body["query"] == PROMPTER.prefix_ids("nurse")
    assert body["items"] == PROMPTER.item_ids_many(items(3))
    assert body["label_token_ids"] == list(PROMPTER.label_ids)
    assert 0 < int(headers["x-deadline-ms"]) <= 2000


def test_no_items_ask_nothing(server: tuple[Scripted, str], opened: Any) -> None:
    assert opened(HttpRanker, server[1]).score_many("nurse", [], 5.0) == []
    assert server[0].seen == []


def test_a_long_candidate_list_goes_out_in_several_calls_and_comes_back_in_order(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scores = opened(HttpRanker, url).score_many("nurse", items(600), 9.0)
    assert len(scores) == 600
    sizes = sorted(len(body["items"]) for route, body, _ in scripted.seen if route == "/v1/score")
    assert sizes == [88, 256, 256]


def test_the_generation_is_read_from_the_answer(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    ranker, summarizer = opened(HttpRanker, url), opened(HttpSummarizer, url)
    scripted.replies = {"/v1/score": [{"model": "ranker@5"}], "/v1/completions": [{"model": "summarizer@8"}]}
    ranker.score_many("nurse", items(1), 5.0)
    assert ranker.model == "ranker@5"
    (summary,) = summarizer.summarize_many(["Title: x\nText: y"], 5.0)
    assert summary.model == "summarizer@8"


def test_an_answer_of_several_generations_is_not_mixed(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [{"model": "ranker@5"}]}
    with pytest.raises(ModelUnavailable, match="changed during one request"):
        opened(HttpRanker, url).score_many("nurse", items(300), 5.0)


def test_summaries_come_in_order_with_their_lengths(server: tuple[Scripted, str], opened: Any) -> None:
    texts = [f"Title: x\nText: {'word ' * n}" for n in (1, 50, 9)]
    got = opened(HttpSummarizer, server[1]).summarize_many(texts, 5.0)
    lengths = PROMPTER.count_many(texts)
    assert got == [
        Summary(text="a short summary", tokens=3, input_tokens=length, model="summarizer@7")
        for length in lengths
    ]


def test_no_more_calls_run_at_once_than_the_settings_say(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: 0.02
    config = ClientConfig(concurrency=3)
    got = opened(HttpSummarizer, url, config).summarize_many([f"text {i}" for i in range(30)], 9.0)
    assert all(isinstance(summary, Summary) for summary in got)
    assert 2 <= scripted.most_running <= 3


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: tuple[Scripted, str], opened: Any, code: int) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(code), status(code)]}
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert scripted.count("/v1/score") == 3


def test_retry_after_is_waited_for(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(503, retry_after="1")]}
    begun = time.monotonic()
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert time.monotonic() - begun >= 1.0


def test_a_retry_after_beyond_the_deadline_is_handed_to_the_caller_at_once(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(503, retry_after="60")]}
    begun = time.monotonic()
    with pytest.raises(ModelUnavailable) as refused:
        opened(HttpRanker, url).score_many("nurse", items(1), 5.0)
    assert refused.value.retry_after_s == 60
    assert time.monotonic() - begun < 2.5


def test_retries_end(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: status(503)
    with pytest.raises(ModelUnavailable, match="answers 503: status 503"):
        opened(HttpRanker, url).score_many("nurse", items(1), 9.0)
    assert scripted.count("/v1/score") == FAST.attempts


@pytest.mark.parametrize("code", [401, 403, 404, 405])
def test_a_wrong_set_up_is_an_outage_that_is_not_retried(
    server: tuple[Scripted, str], opened: Any, code: int
) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: status(code)
    got = opened(HttpSummarizer, url).summarize_many(["text"], 5.0)
    assert isinstance(got[0], Unavailable)
    assert f"answers {code}" in got[0].reason
    assert scripted.count("/v1/completions") == 1


def test_a_stalled_server_is_left_at_the_deadline_of_the_whole_batch(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: 30.0
    begun = time.monotonic()
    config = ClientConfig(concurrency=2, attempt_s=30.0)
    got = opened(HttpSummarizer, url, config).summarize_many([f"text {i}" for i in range(9)], 0.6)
    assert 0.5 < time.monotonic() - begun < 2.0
    assert [type(outcome) for outcome in got] == [Unavailable] * 9


def test_a_server_that_is_not_there_is_an_outage_and_comes_back_by_itself(opened: Any) -> None:
    port = free_port()
    summarizer = opened(HttpSummarizer, f"http://127.0.0.1:{port}")
    (failure,) = summarizer.summarize_many(["text"], 5.0)
    assert isinstance(failure, Unavailable)
    assert failure.retry_after_s > 0
    with running(Scripted().app(), port):
        assert isinstance(summarizer.summarize_many(["text"], 5.0)[0], Summary)


def test_a_server_that_never_speaks_is_left_at_the_deadline(opened: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ModelUnavailable):
            opened(HttpRanker, url).score_many("nurse", items(2), 0.5)
        assert time.monotonic() - begun < 2.0


NONSENSE: dict[str, Reply] = {
    "no JSON": Response(b"<html>", media_type="application/json"),
    "no object": JSONResponse([1]),
    "no scores": {"scores": None},
    "wrong length": {"scores": [[0.5, 0.5]] * 2},
    "one label": {"scores": [[0.5]]},
    "NaN": Response(b'{"model":"ranker@4","scores":[[NaN,NaN]]}', media_type="application/json"),
    "text": {"scores": [["0.5", "0.5"]]},
    "over one": {"scores": [[1.5, -0.5]]},
    "500": status(500),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_once_is_asked_again_and_never_taken_for_a_score(
    server: tuple[Scripted, str], opened: Any, nonsense: str
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [NONSENSE[nonsense]]}
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert scripted.count("/v1/score") == 3  # the nonsense, the canary that judges it, the answer


@pytest.mark.parametrize(
    "changes",
    [{"choices": []}, {"choices": [{"text": None}]}, {"usage": {}}, {"usage": {"completion_tokens": -1}}],
)
def test_a_completion_without_its_parts_is_asked_again(
    server: tuple[Scripted, str], opened: Any, changes: dict[str, Any]
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/completions": [changes]}
    assert isinstance(opened(HttpSummarizer, url).summarize_many(["text"], 5.0)[0], Summary)


def test_nonsense_to_everybody_is_an_outage(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: {"scores": [[float("1e9"), 0.0]], "choices": []}
    with pytest.raises(ModelUnavailable, match="not this input alone"):
        opened(HttpRanker, url).score_many("nurse", items(1), 9.0)
    got = opened(HttpSummarizer, url).summarize_many(["one", "two"], 9.0)
    assert [type(outcome) for outcome in got] == [Unavailable, Unavailable]


@pytest.mark.parametrize("harm", [400, 413, 422, 500, "nonsense", "hang"])
def test_an_input_that_fails_three_times_beside_good_neighbours_is_poison(
    server: tuple[Scripted, str], opened: Any, harm: int | str
) -> None:
    scripted, url = server
    replies: dict[int | str, Reply] = {"nonsense": {"choices": []}, "hang": 4.0}
    reply = replies[harm] if isinstance(harm, str) else status(harm)
    scripted.hurt_by = lambda body: reply if is_poison(body) else None
    config = ClientConfig(backoff_s=0.01, backoff_max_s=0.05, attempt_s=0.3)
    got = opened(HttpSummarizer, url, config).summarize_many(["fine", POISON, "good"], 8.0)
    assert [type(outcome) for outcome in got] == [Summary, Rejected, Summary]
    asked = [body for route, body, _ in scripted.seen if route == "/v1/completions" and is_poison(body)]
    assert len(asked) == 3


def test_poison_alone_in_its_batch_is_told_by_the_canary(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda body: status(400) if is_poison(body) else None
    with pytest.raises(ModelRejected, match="failed 3 times while its neighbours succeeded: 400: status 400"):
        opened(HttpRanker, url).score_many("nurse", [item(POISON)], 5.0)


def test_nothing_is_poison_while_health_is_bad(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.healthy = False
    scripted.hurt_by = lambda body: status(500) if is_poison(body) else None
    got = opened(HttpSummarizer, url).summarize_many(["fine", POISON], 5.0)
    assert [type(outcome) for outcome in got] == [Summary, Unavailable]


def test_a_stall_in_mid_batch_makes_nothing_poison(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: 0.05
    scripted.stall_s = (time.monotonic() + 0.3, time.monotonic() + 2.0)
    config = ClientConfig(concurrency=4, backoff_s=0.01, backoff_max_s=0.05, attempt_s=0.3, connect_s=0.2)
    got = opened(HttpSummarizer, url, config).summarize_many([f"text {i}" for i in range(40)], 5.0)
    kinds = [type(outcome) for outcome in got]
    assert len(kinds) == 40
    assert kinds.count(Summary) >= 4
    assert Rejected not in kinds
    assert scripted.count("/health") > 0


@pytest.mark.parametrize(
    ("names", "length", "message"),
    [
        (("reranker@1",), 2048, "not ranker@N"),
        ((), 2048, "not ranker@N"),
        (("ranker@4",), 1024, "takes 1024 tokens, but prompts are cut to 2048"),
    ],
)
def test_a_server_of_another_model_is_never_scored_with(
    opened: Any, names: tuple[str, ...], length: int, message: str
) -> None:
    with running(Scripted(names=names, max_model_len=length).app()) as url:
        ranker = opened(HttpRanker, url)
        with pytest.raises(ModelUnavailable, match=message):
            ranker.score_many("nurse", items(1), 5.0)


def test_an_answer_in_another_models_name_is_refused(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [{"model": "summarizer@7"}]}
    with pytest.raises(ModelUnavailable, match="answered instead of ranker@N"):
        opened(HttpRanker, url).score_many("nurse", items(1), 5.0)


def test_the_name_is_asked_for_once_by_many_calls(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    opened(HttpSummarizer, url).summarize_many([f"text {i}" for i in range(20)], 5.0)
    assert scripted.count("/v1/models") == 1


def test_a_key_is_sent_with_every_request(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    opened(HttpRanker, url, ClientConfig(bearer="s3")).score_many("nurse", items(1), 5.0)
    assert [headers["authorization"] for _, _, headers in scripted.seen] == ["Bearer s3"] * 2


@pytest.mark.parametrize(("prompt", "message"), [([], "empty"), ([5, 10**6], "outside"), ([-1], "outside")])
def test_what_would_kill_an_sglang_is_never_sent(
    server: tuple[Scripted, str], prompt: list[int], message: str
) -> None:
    scripted, url = server
    call: Call[Any] = Call(route="/v1/completions", body={"prompt": prompt}, prompts=[prompt], read=dict)

    async def ask() -> None:
        client = ModelClient(url, "summarizer", FAST, vocab_size=300, context_tokens=512, canary=call)
        try:
            await client.ask(call, time.monotonic() + 5)
        finally:
            await client.close()

    with pytest.raises(ModelRejected, match=message):
        asyncio.run(ask())
    assert scripted.seen == []


def test_a_closed_ranker_opens_again_at_its_next_use(server: tuple[Scripted, str], opened: Any) -> None:
    ranker = opened(HttpRanker, server[1])
    for _ in range(2):
        assert ranker.score_many("nurse", items(1), 5.0) == [0.25]
        ranker.close()


def score_in_child(ranker: HttpRanker, results: Any) -> None:
    results.put(ranker.score_many("nurse", items(2), 5.0))


@pytest.mark.timeout(30)
def test_a_forked_child_uses_a_ranker_that_its_parent_has_used(
    server: tuple[Scripted, str], opened: Any
) -> None:
    ranker = opened(HttpRanker, server[1])
    ranker.score_many("nurse", items(1), 5.0)
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    child = fork.Process(target=score_in_child, args=(ranker, results))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert results.get() == [0.25, 0.25]
    assert ranker.score_many("nurse", items(1), 5.0) == [0.25]


def test_the_instant_server_answers_the_real_clients(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, word_piece_tokenizer())
    with serving(InstantEngine("ranker@0", path)) as url:
        ranker = open_ranker(url, path, FAST)
        assert isinstance(ranker, HttpRanker)
        try:
            cook, welder = ranker.score_many("welder berlin", [item("cook"), item("welder")], 5.0)
        finally:
            ranker.close()
    assert 0 < cook < welder < 1
    assert ranker.model == "ranker@0"
    with serving(InstantEngine("summarizer@0", path)) as url:
        summarizer = open_summarizer(url, path, FAST)
        assert isinstance(summarizer, HttpSummarizer)
        try:
            (summary,) = summarizer.summarize_many(["Title: Welder\nText: steel work by day"], 5.0)
        finally:
            summarizer.close()
    assert isinstance(summary, Summary)
    assert summary.text == "steel work by day"


def test_a_url_chooses_the_implementation_and_a_wrong_one_says_what_to_give(tmp_path: Path) -> None:
    assert isinstance(open_ranker("instant:"), LexicalRanker)
    assert isinstance(open_summarizer("instant:"), InstantSummarizer)
    for wrong in ("ftp://host", "localhost:8900", ""):
        with pytest.raises(ConfigError, match="names no model server"):
            open_ranker(wrong, tmp_path)
    with pytest.raises(ConfigError, match="needs the tokenizer directory"):
        open_summarizer("http://127.0.0.1:1")
