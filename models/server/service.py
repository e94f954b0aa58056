"""The served models: of each its engine and the queue before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.engine.base import Engine, Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig, Batcher, Costed
from models.engine.forward.plan import divided
from models.server.requests import DEFAULT_MODEL, BadRequest

Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")
Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Hosted(Generic[Job, Result]):
    """An engine and the batcher that queues its jobs."""

    engine: Engine
    batcher: Batcher[Job, Result]

    def pending_tokens(self) -> float:
        """Return the number of tokens that wait or are being computed."""
        return self.batcher.pending_tokens

    def check_model(self, asked: str) -> None:
        """Raise BadRequest (404) for another model's name; any generation of this one is accepted."""
        name = self.engine.info.name
        if asked != DEFAULT_MODEL and base_name(asked) != base_name(name):
            raise BadRequest(f"model {asked[:99]!r} is not served here, {name!r} is", status=404)


def base_name(model: str) -> str:
    """Return a model's name without its generation: `ranker` of `ranker@7`."""
    return model.partition("@")[0]


HostedRanker = Hosted[ScoreJob, list[list[float]]]
HostedSummarizer = Hosted[GenerateJob, Generated]


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models of one server, either of which may be missing."""

    ranker: HostedRanker | None
    summarizer: HostedSummarizer | None

    def by_task(self) -> dict[str, Hosted[Any, Any]]:
        """Return the models that there are by their task, as a model's card and the metrics name it."""
        models = {"score": self.ranker, "completions": self.summarizer}
        return {task: hosted for task, hosted in models.items() if hosted}

    def need_ranker(self) -> HostedRanker:
        """Return the ranker; BadRequest (404) if none is served."""
        return _needed(self.ranker, "ranker")

    def need_summarizer(self) -> HostedSummarizer:
        """Return the summarizer; BadRequest (404) if none is served."""
        return _needed(self.summarizer, "summarizer")


def _needed(model: Model | None, role: str) -> Model:
    if model is None:
        raise BadRequest(f"no {role} is served here: start the server with --{role} DIR", status=404)
    return model


def host_ranker(engine: Engine, config: BatchConfig) -> HostedRanker:
    """Host a ranker on a model thread of its own."""
    return Hosted(engine, Batcher(engine.score_many, config, divided=divided))


def host_summarizer(engine: Engine, config: BatchConfig) -> HostedSummarizer:
    """Host a summarizer on a model thread of its own."""
    return Hosted(engine, Batcher(engine.generate_many, config))
