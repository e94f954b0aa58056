import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.engine.sglang import SglangConfig
from nearline.stack.tools import free_port
from tests.models.running import process
from tests.sglang.cases import NAME, VOCABULARY
from tests.support.sglang import SglangServer, device, installed
from tests.support.tiny import byte_level_tokenizer, write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 that transformers' AutoTokenizer can load too."""
    tokenizer = byte_level_tokenizer()
    path = write_checkpoint(tmp_path_factory.mktemp("both"), tokenizer, name=NAME, vocab_size=VOCABULARY)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="session")
def needs_sglang() -> None:
    if not installed():
        pytest.skip("no .envs/sglang here: run `make sglang-env`")


@pytest.fixture(scope="session")
def sglang_url(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config = SglangConfig(model=checkpoint, name=NAME, port=free_port(), device=device(), dtype="float32")
    with SglangServer(config, tmp_path_factory.mktemp("sglang")) as server:
        yield server.url


@pytest.fixture(scope="session")
def our_url(checkpoint: Path) -> Iterator[str]:
    models = ("--ranker", str(checkpoint), "--summarizer", str(checkpoint))
    with process(*models, "--dtype", "float32", "--device", "cpu", "--threads", "1") as (_, url):
        yield url
