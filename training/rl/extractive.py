"""The extractive actor: a small causal body reads a posting once, a head gives each phrase a logit.

A summary is drawn by one Bernoulli choice a phrase; in use the phrases of the highest logits fill a budget. Choices are
drawn by logits of one spread less one number a posting, at which the expected length is that budget
(`expected_length.py`), so that only the order of phrases is to be learned, and no run ends in summaries of no phrase or
of all. An actor whose card has
a threshold has free lengths instead: choices are drawn by the logits above it, and the reward alone decides how many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from typing_extensions import override

from models.engine.stock import open_stock
from models.extractive.checkpoint import Card, load_card, load_head, write_head
from models.extractive.head import PhraseHead, places
from models.extractive.leading import logits_in_use
from models.extractive.reading import Reader, Reading
from models.extractive.selection import budget, joined, select
from models.prompts import load_tokenizer, summarizer_input
from models.writing import replacing
from training.components.finite import check_weights
from training.components.saving import write_model
from training.judging.postings import PostingRow
from training.rl.actor import ActionLogProbs, Actor, Sample, Source, WeightGroup
from training.rl.expected_length import at_expected_length, of_one_spread

BATCH_TOKENS = 8_192
"""Tokens of one pass of the body, padding included."""
BODY_RATE = 0.1
"""Learning rate of the body relative to the head's: it has learned before, the head has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSource(Source):
    """A posting as the extractive actor reads it."""

    reading: Reading


class ExtractiveActor(Actor):
    """Body and head of one checkpoint directory, trained together."""

    def __init__(
        self, model: Any, head: PhraseHead, card: Card, directory: Path, *, device: str = "cpu"
    ) -> None:
        """`model`: a stock causal model whose tokenizer lies in `directory`."""
        self.card, self._directory, self._device = card, directory, torch.device(device)
        self._model = model.to(self._device).eval()  # eval: nothing here has dropout
        self._head = head.to(self._device).requires_grad_()
        self._reader = Reader(load_tokenizer(directory), model.config.max_position_embeddings)

    @classmethod
    def open(cls, directory: Path, *, device: str = "cpu") -> ExtractiveActor:
        """Load a directory of an extractive summarizer; ConfigError if it is none."""
        card = load_card(directory)
        return cls(open_stock(directory)[0], load_head(directory), card, directory, device=device)

    @classmethod
    def from_ranker(
        cls, ranker: Path, *, layers: int = 2, card: Card | None = None, seed: int = 0, device: str = "cpu"
    ) -> ExtractiveActor:
        """Begin with a ranker's first layers, and a head that chooses every phrase alike.

        The probability is the card's share, one half at most.
        """
        card = card or Card()
        torch.manual_seed(seed)
        model, _ = open_stock(ranker)
        _keep_layers(model, layers)
        head = PhraseHead(model.config.hidden_size)
        chance = min(card.share, 0.5)
        head.out.bias.data.fill_(math.log(chance / (1 - chance)))
        return cls(model, head, card, ranker, device=device)

    @override
    def prepare(self, postings: Iterable[PostingRow]) -> list[Source]:
        """Tokenize and cut into phrases; text beyond the body's context has no phrases."""
        rows = list(postings)
        inputs = [summarizer_input(row.item.title, row.item.text) for row in rows]
        return [
            ReadSource(
                posting=row,
                text=reading.text,
                tokens=reading.tokens,
                phrases=reading.phrases,
                counts=reading.counts,
                reading=reading,
            )
            for row, reading in zip(rows, self._reader.read_many(inputs), strict=True)
        ]

    @override
    def sample(self, sources: Sequence[Source], group: int, generator: torch.Generator) -> list[list[Sample]]:
        """Choose each phrase or not, by itself."""
        with torch.no_grad():
            logits = [logit_P.cpu() for logit_P in self._at_length(sources)]
        drawn = []
        for source, logit_P in zip(sources, logits, strict=True):
            chance_GP = torch.rand(group, len(logit_P), generator=generator)
            actions_GP = (chance_GP < logit_P.sigmoid()).long()
            drawn.append([_sample(source, actions_P, logit_P) for actions_P in actions_GP])
        return drawn

    @override
    def log_probs(self, sources: Sequence[Source], samples: Sequence[Sequence[Sample]]) -> ActionLogProbs:
        """Read each source once for all of its samples."""
        rows, entropies = [], []
        for logit_P, group in zip(self._at_length(sources), samples, strict=True):
            entropy_P = _entropies(logit_P)
            for sample in group:
                rows.append(_log_probs(logit_P, sample.actions.to(logit_P.device)))
                entropies.append(entropy_P)
        if not rows:
            empty = torch.zeros(0, 0, device=self._device)
            return ActionLogProbs(log_probs=empty, entropies=empty, mask=empty.bool())
        mask = pad_sequence([torch.ones_like(row, dtype=torch.bool) for row in rows], batch_first=True)
        return ActionLogProbs(
            log_probs=pad_sequence(rows, batch_first=True),
            entropies=pad_sequence(entropies, batch_first=True),
            mask=mask,
        )

    @override
    def greedy(self, sources: Sequence[Source], share: float) -> list[str]:
        """Fill a budget of `share` of each text's tokens by the highest logits, as the server does."""
        return self.greedy_at(sources, [share])[0]

    @override
    def greedy_at(self, sources: Sequence[Source], shares: Sequence[float]) -> list[list[str]]:
        """Read each source once for all shares."""
        with torch.no_grad():
            logits = [logit_P.tolist() for logit_P in self.logits(sources)]
        return [
            [
                _summary(_read(source), row, share, self.card.threshold)
                for source, row in zip(sources, logits, strict=True)
            ]
            for share in shares
        ]

    def _at_length(self, sources: Sequence[Source]) -> list[Tensor]:
        """Return the logits by which choices are drawn: at an expected length, or above the card's threshold."""
        if self.card.threshold is not None:
            return [logit_P - self.card.threshold for logit_P in self.logits(sources)]
        readings = [_read(source) for source in sources]
        return [
            at_expected_length(
                of_one_spread(logit_P),
                torch.tensor(reading.counts, dtype=logit_P.dtype, device=logit_P.device),
                budget(reading.tokens, self.card.share).wanted,
            )
            for reading, logit_P in zip(readings, self.logits(sources), strict=True)
        ]

    def logits(self, sources: Sequence[Source]) -> list[Tensor]:
        """Return the logits of each source's phrases, [phrases] each, differentiable."""
        readings = [_read(source) for source in sources]
        # of like length together: a batch is padded to its longest
        order = sorted(range(len(readings)), key=lambda at: len(readings[at].ids))
        found: list[Tensor] = []
        for few in _batches([readings[at] for at in order]):
            flat_P = self._head(self._states(few), places(few).to(self._device))
            found += flat_P.split([len(reading.phrases) for reading in few])
        by_place = dict(zip(order, found, strict=True))
        return [by_place[at] for at in range(len(readings))]

    def _states(self, readings: Sequence[Reading]) -> Tensor:
        """Return the states after the final norm of all tokens, one posting after another, [N, D]."""
        ids = [torch.tensor(reading.ids, dtype=torch.long) for reading in readings]
        lengths_B = torch.tensor([len(each) for each in ids])
        ids_BT = pad_sequence(ids, batch_first=True)
        real_BT = (torch.arange(ids_BT.shape[1]) < lengths_B[:, None]).to(self._device)
        # padded on the right under a causal mask: no token sees padding
        states_BTD: Tensor = self._model.model(
            input_ids=ids_BT.to(self._device), use_cache=False
        ).last_hidden_state
        return states_BTD[real_BT]

    @override
    def parameters(self) -> list[WeightGroup]:
        """Return the head, and the body at a tenth of its rate."""
        return [
            WeightGroup(name="head", weights=list(self._head.parameters()), rate=1.0),
            WeightGroup(name="body", weights=list(self._model.model.parameters()), rate=BODY_RATE),
        ]

    def shift(self, by: float) -> None:
        """Add `by` to every phrase's logit, which makes samples longer or shorter and changes no order."""
        with torch.no_grad():
            self._head.out.bias.add_(by)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return body and head under `body.` and `head.`."""
        parts: dict[str, nn.Module] = {"body": self._model.model, "head": self._head}
        return {
            f"{part}.{name}": tensor.detach().float().cpu().clone()
            for part, module in parts.items()
            for name, tensor in module.state_dict().items()
        }

    @override
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take what `state` returned."""
        self._model.model.load_state_dict(_part(state, "body."))
        self._head.load_state_dict(_part(state, "head."))

    @override
    def save(self, directory: Path) -> None:
        """Write the body in bf16 as a stock directory, the head in fp32, and the card."""
        head = {name: tensor.detach().cpu() for name, tensor in self._head.state_dict().items()}
        check_weights(head)
        body = {name: tensor.detach().cpu() for name, tensor in self._model.state_dict().items()}
        with replacing(directory) as partial:
            write_model(
                partial,
                self._model,
                body,
                source=self._directory,
                name=self.card.name,
                dtype=torch.bfloat16,
            )
            write_head(partial, head, self.card)

    @override
    def load(self, directory: Path) -> None:
        """Take body and head; the tokenizer must be the same."""
        other = ExtractiveActor.open(directory, device=str(self._device))
        self.card, self._directory = other.card, directory
        self.restore(other.state())


def _keep_layers(model: Any, layers: int) -> None:
    """Drop all layers of a stock model but the first ones."""
    body, config = model.model, model.config
    body.layers = nn.ModuleList(list(body.layers)[:layers])
    config.num_hidden_layers = len(body.layers)
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: len(body.layers)]


def _read(source: Source) -> Reading:
    if not isinstance(source, ReadSource):
        raise TypeError("the source is not one that the extractive actor prepared")
    return source.reading


def _batches(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    """Yield the readings in order, in groups of at most BATCH_TOKENS when padded."""
    group: list[Reading] = []
    for reading in readings:
        longest = max(len(each.ids) for each in [*group, reading])
        if group and longest * (len(group) + 1) > BATCH_TOKENS:
            yield group
            group = []
        group.append(reading)
    if group:
        yield group


def _sample(source: Source, actions_P: Tensor, logit_P: Tensor) -> Sample:
    chosen = tuple(actions_P.nonzero().flatten().tolist())
    return Sample(
        text=joined(source.text, source.phrases, chosen),
        chosen=chosen,
        actions=actions_P,
        log_probs=_log_probs(logit_P, actions_P),
    )


def _log_probs(logit_P: Tensor, actions_P: Tensor) -> Tensor:
    """Return log P(action) of Bernoulli choices: log sigmoid of the logit, or of its negative."""
    return F.logsigmoid(torch.where(actions_P > 0, logit_P, -logit_P))


def _entropies(logit_P: Tensor) -> Tensor:
    return F.softplus(logit_P) - logit_P * logit_P.sigmoid()


def _summary(reading: Reading, logits: Sequence[float], share: float, threshold: float | None) -> str:
    room = budget(reading.tokens, share, threshold=threshold)
    used = logits_in_use(reading, logits)
    chosen = select(reading.text, reading.phrases, reading.counts, used, room)
    return joined(reading.text, reading.phrases, chosen)


def _part(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
