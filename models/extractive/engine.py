"""An `Engine` that answers completions with phrases of the posting in the prompt: one reading, no decoding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from typing_extensions import override

from models.engine.base import Engine, Generated, GenerateJob, ModelInfo, ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.extractive.checkpoint import load_card, load_head
from models.extractive.head import places
from models.extractive.leading import logits_in_use
from models.extractive.reading import Reader, Reading
from models.extractive.selection import SEPARATOR_TOKENS, budget, joined, select
from models.prompts import load_tokenizer

LONGEST_PROMPT = 524_288
"""Tokens of a prompt that is accepted; what lies beyond the body's context is not read."""
ABORTED = Generated(text="", tokens=0, finish_reason="abort")
_DECODED = re.compile(
    r"(?:.*?\btitle ?: ?(?P<title>.*?) ?)?\btext ?: ?(?P<text>.*?)(?:\s?\bsummary ?:)?",
    re.IGNORECASE | re.DOTALL,
)


class ExtractiveEngine(Engine):
    """Chooses phrases; a prompt that came as token ids is decoded, which loses what its tokenizer folds."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        """Load body and head, and run them once; ConfigError for a directory of another kind or one that is damaged."""
        self._card = load_card(path)
        self._body = CheckpointEngine(path, config)
        self._head = load_head(path).to(self._body.device)
        self._tokenizer = load_tokenizer(path)
        info = self._body.info
        self._reader = Reader(self._tokenizer, info.context_tokens)
        self._info = ModelInfo(
            name=info.name,
            vocab_size=info.vocab_size,
            context_tokens=max(LONGEST_PROMPT, info.context_tokens),
        )
        self._logits(self._reader.read_many(["Title: nurse\nText: nights on a ward"]))

    @property
    @override
    def info(self) -> ModelInfo:
        """Its context is that of a request, not of the body: longer postings are read as far as the body can."""
        return self._info

    @override
    def encode_many(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Encode as the body does."""
        return self._body.encode_many(texts, special_tokens=special_tokens)

    @override
    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """Score by the body alone, which was not trained for it."""
        return self._body.score_many(jobs)

    @override
    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """Read all postings together; temperature and penalty play no part, the text is told once, whole."""
        readings = self._reader.read_many([self._posting(job) for job in jobs])
        made = []
        for job, reading, row in zip(jobs, readings, self._logits(readings), strict=True):
            summary, _ = self._summary(reading, row, job.max_tokens, self._card.share)
            made.append(self._answer(job, summary))
        return made

    def summaries(
        self, inputs: Sequence[str], *, most: int | None = None, share: float | None = None
    ) -> list[tuple[Reading, Generated, list[int]]]:
        """Return how each `summarizer_input` is read, its summary, and which of its phrases that consists of.

        `most` tokens at most (None: any number), of about `share` of the text's tokens, or of what the card asks.
        """
        readings = self._reader.read_many(inputs)
        logits = self._logits(readings)
        return [
            (reading, *self._summary(reading, row, most, share or self._card.share))
            for reading, row in zip(readings, logits, strict=True)
        ]

    def logits(self, inputs: Sequence[str]) -> list[list[float]]:
        """Return the logits of each `summarizer_input`'s phrases."""
        return self._logits(self._reader.read_many(inputs))

    @torch.inference_mode()
    def _logits(self, readings: Sequence[Reading]) -> list[list[float]]:
        """Return a logit for each phrase of each reading; a reading without phrases is not computed."""
        read = [reading for reading in readings if reading.phrases]
        if not read:
            return [[] for _ in readings]
        states_ND = self._body.hidden_many([reading.ids for reading in read])
        flat = iter(self._head(states_ND, places(read).to(states_ND.device)).tolist())
        return [[next(flat) for _ in reading.phrases] for reading in readings]

    def _posting(self, job: GenerateJob) -> str:
        """Return the prompt as text."""
        if job.text is not None:
            return job.text
        text = str(self._tokenizer.decode(job.prompt))
        found = _DECODED.fullmatch(text)
        return f"Title: {found['title'] or ''}\nText: {found['text']}" if found else text

    def _answer(self, job: GenerateJob, made: Generated) -> Generated:
        """Return a summary as its request wants it: cut at a stop string, told to a listener, none once aborted."""
        if job.course.aborted:
            return ABORTED
        ends = [made.text.find(stop) for stop in job.stop if stop in made.text]
        if ends:
            made = self._counted(made.text[: min(ends)], "stop")
        if job.course.on_text and made.text:
            job.course.on_text(made.text, made.tokens)
        return made

    def _summary(
        self, reading: Reading, learned: Sequence[float], most: int | None, share: float
    ) -> tuple[Generated, list[int]]:
        logits, counts = logits_in_use(reading, learned), reading.counts
        room = budget(reading.tokens, share, most, self._card.threshold)
        chosen = select(reading.text, reading.phrases, counts, logits, room)
        if not chosen:
            return self._beginning(reading, logits, min(room.most, room.wanted)), []
        tokens = sum(counts[at] for at in chosen) + SEPARATOR_TOKENS * (len(chosen) - 1)
        text = joined(reading.text, reading.phrases, chosen)
        return Generated(text=text, tokens=tokens, finish_reason="stop"), chosen

    def _beginning(self, reading: Reading, logits: Sequence[float], most: int) -> Generated:
        """Return the first words of the best phrase where no phrase fits, of the text where there is none."""
        text = reading.text
        if reading.phrases:
            text = reading.phrases[max(range(len(logits)), key=logits.__getitem__)].of(text)
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= most:
            return self._counted(text.strip(), "stop")
        return self._counted(_whole_words(text, offsets[most][0]), "length")

    def _counted(self, text: str, reason: str) -> Generated:
        tokens = len(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return Generated(text=text, tokens=tokens, finish_reason=reason)


def _whole_words(text: str, end: int) -> str:
    """Return the text up to `end`, less a word that is cut there, unless there is only that."""
    space = text.rfind(" ", 0, end + 1)
    return text[:space] if space > 0 else text[:end]
