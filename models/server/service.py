"""Models behind their queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from models.engine.base import Engine, Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig, Batcher, Costed
from models.server.requests import DEFAULT_MODEL, BadRequest

Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Hosted(Generic[Job, Result]):
    """One engine behind its queue."""

    engine: Engine
    batcher: Batcher[Job, Result]

    def pending_tokens(self) -> float:
        """Tokens waiting or running."""
        return self.batcher.pending_tokens

    def check_model(self, asked: str) -> None:
        """Refuse another model's name; another generation of this one is answered with the true name."""
        name = self.engine.info.name
        if asked != DEFAULT_MODEL and base_name(asked) != base_name(name):
            raise BadRequest(f"model {asked[:99]!r} is not served here, {name!r} is", status=404)


def base_name(model: str) -> str:
    """`ranker` of `ranker@7`."""
    return model.partition("@")[0]


def host_ranker(engine: Engine, config: BatchConfig) -> Hosted[ScoreJob, list[list[float]]]:
    """A ranker with a model thread of its own."""
    return Hosted(engine, Batcher(engine.score_many, config))


def host_summarizer(engine: Engine, config: BatchConfig) -> Hosted[GenerateJob, Generated]:
    """A summarizer with a model thread of its own."""
    return Hosted(engine, Batcher(engine.generate_many, config))
