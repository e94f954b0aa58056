"""Ranker and summarizer of checkpoint directories in this process, with the server's own requests and answers.

For checks and tests that ask what the served models would say; a calibration is applied where the server applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from models.client.remote import FREQUENCY_PENALTY
from models.engine.base import GenerateJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.prompts import Item, Prompter
from models.ranker import Ranker
from models.server.config import Limits, ServeConfig
from models.server.opening import open_engine
from models.server.requests import ScoreBody
from models.server.score import score_answer, score_request
from models.summarizer import Summarizer, Summary, SummaryFailure


class InProcessRanker(Ranker):
    """A ranker without a server between; `kernels` as in EngineConfig."""

    def __init__(self, path: Path, config: EngineConfig | None = None) -> None:
        """Raise ConfigError for a directory that cannot be served."""
        self._engine = CheckpointEngine(path, config or EngineConfig(role="ranker"))
        self._prompter = Prompter.from_dir(path)

    @property
    @override
    def model(self) -> str:
        """The name that the server would answer with."""
        return self._engine.info.name

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Score all items in one request; the deadline plays no part."""
        body = ScoreBody(
            query=self._prompter.prefix_ids(query),
            items=self._prompter.item_ids_many(items),
            label_token_ids=list(self._prompter.label_ids),
            apply_softmax=True,
        )
        budget = ServeConfig().ranker_batching.batch_tokens
        scoring = score_request(body, self._engine, Limits(), budget)
        answer = score_answer(scoring, self._engine.score_many(scoring.jobs), self._engine.info)
        return [float(row[0]) for row in answer["scores"]]


class InProcessSummarizer(Summarizer):
    """A summarizer without a server between, extractive or generating, asked as the client asks."""

    def __init__(self, path: Path, config: EngineConfig | None = None) -> None:
        """Raise ConfigError for a directory that cannot be served."""
        self._engine = open_engine(path, config or EngineConfig(role="summarizer"))
        self._prompter = Prompter.from_dir(path)

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Summarize all texts in one batch; the deadline plays no part."""
        prompts = self._prompter.summarizer_ids_many(texts)
        jobs = [
            GenerateJob(
                prompt=prompt,
                max_tokens=self._prompter.summary_budget(prompt),
                temperature=0.0,
                frequency_penalty=FREQUENCY_PENALTY,
                stop=(),
                text=self._prompter.summarizer_prompt(text),
            )
            for text, prompt in zip(texts, prompts, strict=True)
        ]
        return [
            Summary(
                text=found.text.strip(),
                tokens=found.tokens,
                input_tokens=len(prompt) - self._prompter.summarizer_fixed_tokens,
                model=self._engine.info.name,
            )
            for prompt, found in zip(prompts, self._engine.generate_many(jobs), strict=True)
        ]
