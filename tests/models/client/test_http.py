import asyncio
import multiprocessing
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from models.calibration import Calibration, write_calibration
from models.client.http import Call, ClientConfig, ModelClient
from models.client.remote import HttpRanker, HttpSummarizer, open_ranker, open_summarizer
from models.client.responses import ByBaseName
from models.engine.instant import InstantEngine
from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer, Summary
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable
from tests.models.running import (
    running,
    serving,
)
from tests.models.scripted import FAST, PROMPTER, Scripted, item, items
from tests.support.tiny import word_piece_tokenizer, write_tokenizer


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
    assert sizes == [88, 128, 128, 128, 128]


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
    assert [type(summary) for summary in got] == [Summary] * 30
    assert 2 <= scripted.most_running <= 3


@pytest.mark.parametrize(
    ("names", "length", "message"),
    [
        (("reranker@1",), 2048, "none of them ranker@N"),
        ((), 2048, "none of them ranker@N"),
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
        client = ModelClient(url, ByBaseName("summarizer", 512), FAST, vocab_size=300, canary=call)
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
    assert summary.text == "steel work", "a summary takes a quarter of its text"


@pytest.mark.parametrize("served", ["ranker@0", "ranker@0+cal-00000000"])
def test_the_client_calibrates_what_its_server_did_not_and_nothing_twice(tmp_path: Path, served: str) -> None:
    path = write_tokenizer(tmp_path, word_piece_tokenizer())
    (path / "model.safetensors").write_bytes(b"weights")
    curve = Calibration(knots=((0.0, -1.0), (1.0, 0.0)))
    write_calibration(path, curve)
    with serving(InstantEngine(served, path)) as url:
        asked = ("welder berlin", [item("cook"), item("welder")], 5.0)
        rankers = [open_ranker(url, path, FAST), open_ranker(url, path, FAST, calibration=path)]
        plain, given = (ranker.score_many(*asked) for ranker in rankers)
        names = {ranker.model for ranker in rankers}
        for ranker in rankers:
            assert isinstance(ranker, HttpRanker)
            ranker.close()
    if served == "ranker@0":
        assert given == [curve.p_yes(p, 1 - p) for p in plain] != plain
        assert names == {served, curve.name(served)}
    else:
        assert given == plain
        assert names == {served}


def test_a_calibration_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no calibration"):
        open_ranker("http://127.0.0.1:1", tmp_path, calibration=tmp_path)


def test_a_url_chooses_the_implementation_and_a_wrong_one_says_what_to_give(tmp_path: Path) -> None:
    assert isinstance(open_ranker("instant:"), LexicalRanker)
    assert isinstance(open_summarizer("instant:"), InstantSummarizer)
    for wrong in ("ftp://host", "localhost:8900", ""):
        with pytest.raises(ConfigError, match="names no model server"):
            open_ranker(wrong, tmp_path)
    with pytest.raises(ConfigError, match="needs the tokenizer directory"):
        open_summarizer("http://127.0.0.1:1")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_private_authority_is_trusted_when_it_is_given_and_only_then(tmp_path: Path, opened: Any) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=model"]
    files = ["-keyout", str(key), "-out", str(certificate), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, *files], check=True, capture_output=True)
    with running(Scripted().app(), ssl_keyfile=str(key), ssl_certfile=str(certificate)) as url:
        trusting = opened(HttpRanker, url, ClientConfig(ca_file=certificate))
        assert trusting.score_many("nurse", items(1), 5.0) == [0.25]
        trusting.close()
        wary = opened(HttpRanker, url)
        with pytest.raises(ModelUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            wary.score_many("nurse", items(1), 5.0)


def test_certificate_authorities_that_cannot_be_read_are_refused_when_opened(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, word_piece_tokenizer())
    with pytest.raises(ConfigError, match="cannot read the certificate authorities"):
        open_ranker("https://127.0.0.1:1", path, ClientConfig(ca_file=tmp_path / "none.pem"))
