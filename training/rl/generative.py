"""The generative actor: a causal language model with the summarizer's prompt writes a summary token by token.

The prompt, the room for the answer and the greedy decoding are those of serving, so that `nearline serve --summarizer`
answers with what a run has measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from typing_extensions import override

from models.client.remote import FREQUENCY_PENALTY
from models.engine.configuration import read_end_ids
from models.engine.stock import open_stock
from models.prompts import Prompter, is_textless, load_tokenizer, summarizer_input
from models.writing import replacing
from schemas.errors import ConfigError
from training.components.finite import check_weights
from training.components.saving import write_model
from training.judging.postings import PostingRow
from training.rl.actor import ActionLogProbs, Actor, Sample, Source, WeightGroup
from training.rl.baselines.words import Count, text_of
from training.rl.causal import CausalModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How summaries are drawn: the temperature, and the most tokens of one (the posting's own room may be less)."""

    temperature: float = 1.0
    max_tokens: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptedSource(Source):
    """A posting as the model reads it: the ids of its prompt, and how many tokens the answer may have."""

    prompt: tuple[int, ...]
    room: int


class GenerativeActor(Actor):
    """One checkpoint directory of an architecture that the engine computes; all of its weights are trained."""

    def __init__(
        self, model: Any, directory: Path, sampling: Sampling, count: Count, *, name: str, device: str = "cpu"
    ) -> None:
        """`model`: a stock causal model whose tokenizer lies in `directory`; `count`: lengths in the ranker's tokens.

        `name`: the model's name in answers once it is saved.
        """
        self._directory, self._sampling, self._count, self._name = directory, sampling, count, name
        self._model = model.to(device).eval()  # eval: what draws and what is judged is one distribution
        self._end = read_end_ids(directory)
        self._causal = CausalModel(self._model, self._end, sampling.temperature)
        self._prompter, self._tokenizer = Prompter.from_dir(directory), load_tokenizer(directory)

    @classmethod
    def open(
        cls, directory: Path, sampling: Sampling, count: Count, *, name: str, device: str = "cpu"
    ) -> GenerativeActor:
        """Load a directory in fp32; ConfigError for one that cannot be served."""
        return cls(open_stock(directory)[0], directory, sampling, count, name=name, device=device)

    @override
    def prepare(self, postings: Iterable[PostingRow]) -> list[Source]:
        """Word the prompts as clients of the server do; lengths are in the ranker's tokens, not in the model's."""
        rows = list(postings)
        inputs = [summarizer_input(row.item.title, row.item.text) for row in rows]
        texts, prompts = [text_of(row) for row in rows], self._prompter.summarizer_ids_many(inputs)
        return [
            PromptedSource(
                posting=row,
                text=text,
                tokens=tokens,
                prompt=tuple(ids),
                room=0 if is_textless(read) else self._room(ids),
            )
            for row, read, text, tokens, ids in zip(
                rows, inputs, texts, self._count(texts), prompts, strict=True
            )
        ]

    def _room(self, ids: Sequence[int]) -> int:
        return min(self._sampling.max_tokens, self._prompter.summary_budget(ids))

    @override
    def sample(self, sources: Sequence[Source], group: int, generator: torch.Generator) -> list[list[Sample]]:
        """Draw tokens up to an end marker, which is an action too, or up to the room; a textless posting has none.

        Log-probabilities come from a second reading, so that the ratios of a first update are 1.
        """
        with torch.no_grad(), self._seeded(generator):
            return [self._samples(_prompted(source), group) for source in sources]

    def _samples(self, source: PromptedSource, group: int) -> list[Sample]:
        none = [torch.zeros(0, dtype=torch.long)] * group
        rows = self._causal.drawn(source.prompt, group, source.room) if source.room else none
        judged = self._causal.judged(source.prompt, rows)
        return [
            Sample(text=self._text(row), chosen=(), actions=row, log_probs=log_prob_N.cpu())
            for row, (log_prob_N, _) in zip(rows, judged, strict=True)
        ]

    @override
    def log_probs(self, sources: Sequence[Source], samples: Sequence[Sequence[Sample]]) -> ActionLogProbs:
        """Read each prompt once for its group."""
        found = [
            pair
            for source, group in zip(sources, samples, strict=True)
            for pair in self._causal.judged(_prompted(source).prompt, [sample.actions for sample in group])
        ]
        if not found:
            empty = torch.zeros(0, 0, device=self._model.device)
            return ActionLogProbs(log_probs=empty, entropies=empty, mask=empty.bool())
        masks = [torch.ones_like(log_prob_N, dtype=torch.bool) for log_prob_N, _ in found]
        return ActionLogProbs(
            log_probs=pad_sequence([log_prob_N for log_prob_N, _ in found], batch_first=True),
            entropies=pad_sequence([entropy_N for _, entropy_N in found], batch_first=True),
            mask=pad_sequence(masks, batch_first=True),
        )

    @override
    def greedy(self, sources: Sequence[Source], share: float) -> list[str]:
        """Decode as the server is asked to, with the client's frequency penalty; whatever share is asked for."""
        del share
        with torch.no_grad():
            return [self._greedy(_prompted(source)) for source in sources]

    def _greedy(self, source: PromptedSource) -> str:
        if not source.room:
            return ""
        return self._text(self._causal.greedy(source.prompt, source.room, FREQUENCY_PENALTY))

    def _text(self, row_N: Tensor) -> str:
        ids = [token for token in row_N.tolist() if token not in self._end]
        return str(self._tokenizer.decode(ids)).strip()

    @contextmanager
    def _seeded(self, generator: torch.Generator) -> Iterator[None]:
        """Let `generator` decide what torch draws, and leave torch's own generators as they were."""
        device = self._model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            yield

    @override
    def parameters(self) -> list[WeightGroup]:
        """Return all weights."""
        return [WeightGroup(name="model", weights=list(self._model.parameters()), rate=1.0)]

    @override
    def state(self) -> dict[str, Tensor]:
        """Return each weight once, also one that is tied."""
        return {
            name: weight.detach().float().cpu().clone() for name, weight in self._model.named_parameters()
        }

    @override
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take what `state` returned; ConfigError for the state of another model."""
        own = dict(self._model.named_parameters())
        if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
            raise ConfigError("the saved weights are those of another model: give the --model of the run")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state[name])

    @override
    def save(self, directory: Path) -> None:
        """Write the weights in bf16 as a stock directory."""
        weights = {name: tensor.detach().cpu() for name, tensor in self._model.state_dict().items()}
        check_weights(weights)
        with replacing(directory) as partial:
            write_model(
                partial,
                self._model,
                weights,
                source=self._directory,
                name=self._name,
                dtype=torch.bfloat16,
            )

    @override
    def load(self, directory: Path) -> None:
        """Take the weights; the tokenizer must be the same."""
        other = GenerativeActor.open(directory, self._sampling, self._count, name=self._name)
        self.restore(other.state())


def _prompted(source: Source) -> PromptedSource:
    if not isinstance(source, PromptedSource):
        raise TypeError("the source is not one that the generative actor prepared")
    return source
