"""An extractive summarizer behind the server's routes: the client sends text, streams and counts are right."""

from pathlib import Path

import httpx
import pytest
import torch

from models.client.remote import HttpSummarizer
from models.engine.checkpoint_engine import EngineConfig
from models.extractive.engine import ExtractiveEngine
from models.prompts import Prompter, summarizer_input
from models.server.config import ServeConfig
from models.server.in_process import InProcessSummarizer
from models.server.run import load
from models.summarizer import Summary
from nearline.cli.options import CHECKPOINTS
from tests.models.running import serving
from tests.models.scripted import FAST
from training.rl.extractive import ExtractiveActor

TEXT = "We look for a Nurse on our Children's Ward in Leeds. You will plan care with families; nights are paid extra."


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("served") / "summarizer"
    torch.manual_seed(0)
    ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny").save(out)
    return out


def test_the_client_gets_phrases_letter_by_letter(directory: Path) -> None:
    engine, prompter = ExtractiveEngine(directory, EngineConfig(device="cpu")), Prompter.from_dir(directory)
    with serving(engine) as url:
        client = HttpSummarizer(url, prompter, FAST)
        given = summarizer_input("Nurse", TEXT)
        (made,) = client.summarize_many([given], 20.0)
        client.close()
        assert InProcessSummarizer(directory).summarize_many([given], 20.0) == [made]
        assert isinstance(made, Summary)
        assert made.model == "summarizer@3"
        assert made.text in TEXT
        assert any(char.isupper() for char in made.text), "token ids would have lost the capitals"
        assert made.tokens == prompter.count_many([made.text])[0]
        most = prompter.summary_budget(prompter.summarizer_ids_many([given])[0])
        body = {"prompt": prompter.summarizer_prompt(given), "max_tokens": most}
        whole = httpx.post(f"{url}/v1/completions", json=body).json()
        assert whole["choices"][0]["text"] == made.text
        assert whole["usage"]["completion_tokens"] == made.tokens <= most
        assert whole["usage"]["prompt_tokens"] == len(engine.encode_many([str(body["prompt"])])[0])
        streamed = httpx.post(f"{url}/v1/completions", json={**body, "stream": True}).text
        assert made.text in streamed
        assert streamed.endswith("data: [DONE]\n\n")


def test_the_card_decides_which_engine_serves(directory: Path) -> None:
    summarizer = load(ServeConfig(summarizer=directory, device="cpu")).summarizer
    assert summarizer is not None
    summarizer.batcher.close()
    assert isinstance(summarizer.engine, ExtractiveEngine)
