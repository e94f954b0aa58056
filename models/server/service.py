"""The served models: of each its engine and the queue before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.engine.base import Engine, Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig, Batcher, Costed
from models.engine.forward.plan import divided
from models.server.embeddings import EmbeddingEngine, EmbedJob
from models.server.requests import DEFAULT_MODEL, BadRequest

EMBEDDINGS = "embeddings"
"""An embedder's task, by which clients know that it is a server of ours."""
Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")
Model = TypeVar("Model")
Computing = TypeVar("Computing", Engine, EmbeddingEngine)


@dataclass(frozen=True, slots=True)
class Hosted(Generic[Computing, Job, Result]):
    """An engine and the batcher that queues its jobs."""

    engine: Computing
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


HostedRanker = Hosted[Engine, ScoreJob, list[list[float]]]
HostedSummarizer = Hosted[Engine, GenerateJob, Generated]
HostedEmbedder = Hosted[EmbeddingEngine, EmbedJob, bytes]


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models of one server, any of which may be missing."""

    ranker: HostedRanker | None = None
    summarizer: HostedSummarizer | None = None
    embedder: HostedEmbedder | None = None

    def by_task(self) -> dict[str, Hosted[Any, Any, Any]]:
        """Return the models that there are by their task, as a model's card and the metrics name it."""
        models: dict[str, Hosted[Any, Any, Any] | None] = {
            "score": self.ranker,
            "completions": self.summarizer,
            EMBEDDINGS: self.embedder,
        }
        return {task: hosted for task, hosted in models.items() if hosted}

    def need_ranker(self) -> HostedRanker:
        """Return the ranker; BadRequest (404) if none is served."""
        return _needed(self.ranker, "ranker")

    def need_summarizer(self) -> HostedSummarizer:
        """Return the summarizer; BadRequest (404) if none is served."""
        return _needed(self.summarizer, "summarizer")

    def need_embedder(self) -> HostedEmbedder:
        """Return the embedder; BadRequest (404) if none is served."""
        return _needed(self.embedder, "embedder")

    def close(self) -> None:
        """Run the jobs that wait, then stop the model threads."""
        for hosted in self.by_task().values():
            hosted.batcher.close()


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


def host_embedder(engine: EmbeddingEngine, config: BatchConfig) -> HostedEmbedder:
    """Host an embedder on a model thread of its own."""
    return Hosted(engine, Batcher(engine.embed_many, config))
