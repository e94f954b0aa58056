"""Shorteners with a model: an extractive summarizer, a generating checkpoint, and prompts to a completions endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import torch
from typing_extensions import override

from models.card import is_extractive
from models.client.http import check_url
from models.client.responses import SuspectInput, raise_for_status
from models.engine.base import GenerateJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.prompts import Prompter, summarizer_input
from schemas.errors import ModelRejected, ModelUnavailable
from training.judging.postings import PostingRow
from training.rl.actor import Actor
from training.rl.baselines.base import Shortener
from training.rl.baselines.words import text_of

PROMPTS: Mapping[str, str] = {
    "summarize": "Write a short summary of this job posting.\n\n{text}\n\nSummary:",
    "yaml": "List the facts of this job posting as YAML: role, skills, duties, terms, place.\n\n{text}\n\nYAML:",
    "phrases": "Name the key phrases of this job posting, separated by commas.\n\n{text}\n\nKey phrases:",
}
"""Wordings of our own for the three prompts of the paper's table 4."""
BATCH = 16
"""Postings in one call of a model."""
DEADLINE_S = 120.0


class ActorShortener(Shortener):
    """An actor of reinforcement learning, as it is served."""

    def __init__(self, name: str, actor: Actor) -> None:
        self.name, self._actor = name, actor

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Read a few postings at a time."""
        found: list[str] = []
        with torch.no_grad():
            for start in range(0, len(postings), BATCH):
                sources = self._actor.prepare(postings[start : start + BATCH])
                found += self._actor.greedy(sources, share)
        return found


class GeneratingShortener(Shortener):
    """A checkpoint that writes a summary token by token, as `nearline serve` serves it; its length is its own."""

    def __init__(self, name: str, directory: Path) -> None:
        """Raise ConfigError for an incomplete directory."""
        self.name = name
        self._engine = CheckpointEngine(directory, EngineConfig(role="summarizer"))
        self._prompter = Prompter.from_dir(directory)

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Decode greedily with the client's frequency penalty; whatever share is asked for."""
        del share
        found: list[str] = []
        for start in range(0, len(postings), BATCH):
            rows = postings[start : start + BATCH]
            texts = [summarizer_input(row.item.title, row.item.text) for row in rows]
            jobs = [self._job(ids) for ids in self._prompter.summarizer_ids_many(texts)]
            found += [generated.text.strip() for generated in self._engine.generate_many(jobs)]
        return found

    def _job(self, ids: list[int]) -> GenerateJob:
        budget = self._prompter.summary_budget(ids)
        return GenerateJob(prompt=ids, max_tokens=budget, temperature=0.0, frequency_penalty=1.0, stop=())


class PromptShortener(Shortener):
    """A prompt to any OpenAI-compatible completions endpoint; its answer is the summary."""

    def __init__(self, prompt: str, url: str, model: str, client: httpx.Client | None = None) -> None:
        """`prompt`: a name of PROMPTS. ConfigError for a URL that cannot be a server's."""
        check_url(url)
        self.name, self._prompt, self._model = prompt, PROMPTS[prompt], model
        self._client = client or httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False)

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Ask for BATCH postings at a time; ModelUnavailable or ModelRejected as the server fails."""
        del share
        with ThreadPoolExecutor(BATCH) as pool:
            return list(pool.map(self._asked, map(text_of, postings)))

    def _asked(self, text: str) -> str:
        if not text:
            return ""
        body = {
            "model": self._model,
            "prompt": self._prompt.format(text=text),
            "max_tokens": 256,
            "temperature": 0,
        }
        try:
            answer = raise_for_status(self._client.post("/v1/completions", json=body))
        except httpx.HTTPError as error:
            raise ModelUnavailable(f"the completions endpoint does not answer: {error!r}") from error
        except SuspectInput as error:
            raise ModelRejected(
                f"the completions endpoint refuses the posting {text[:60]!r}: {error}"
            ) from error
        try:
            return str(answer["choices"][0]["text"]).strip()
        except (KeyError, IndexError, TypeError) as error:
            raise ModelUnavailable(f"no completion in the answer {json.dumps(answer)[:200]}") from error


def open_summarizer_dir(directory: Path) -> Shortener:
    """The summarizer of a checkpoint directory, extractive or generating; ConfigError for any other directory."""
    name = directory.resolve().name
    if is_extractive(directory):
        from training.rl.extractive import ExtractiveActor

        return ActorShortener(name, ExtractiveActor.open(directory))
    return GeneratingShortener(name, directory)
