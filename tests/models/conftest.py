from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.client.http import ClientConfig
from models.client.remote import HttpRanker, HttpSummarizer
from models.engine.base import Engine
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from tests.models.running import LIMITS, running, serving
from tests.models.scripted import FAST, PROMPTER, Scripted
from tests.support.tiny import byte_level_tokenizer, write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("served"), byte_level_tokenizer())


@pytest.fixture(scope="session")
def engine(checkpoint: Path) -> Engine:
    return CheckpointEngine(checkpoint, EngineConfig(dtype="float32", device="cpu", threads=1))


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with serving(engine, LIMITS) as url:
        yield url


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
