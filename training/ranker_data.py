"""Training pairs of the ranker: pools of tokenized postings, queries, candidate lists and dense labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.prompts import Item, Prompter
from training.pseudo import PseudoLexicon
from training.synthetic.facts import SOFT_LABELS, Query, grade
from training.synthetic.lexicon import Lexicon, Occupation
from training.synthetic.postings import METADATA_REMOTE, METADATA_TYPES, Posting, Writer, pick
from training.synthetic.queries import Asker

CANDIDATES = 8
SAME_OCCUPATION = 3
RELATED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Tokens of one piece of text, those of its span, and the evidence that reading it adds."""

    ids: list[int]
    span_ids: list[int]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A posting ready to be cut to any window."""

    posting: Posting
    head: list[int]
    parts: list[Part]
    known: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One prompt: ids, where labels stand and what they are; the last one is the answer's."""

    ids: list[int]
    places: list[int]
    targets: list[float]


class Encoder:
    """Turns postings into ids exactly as `models.prompts` does, but piece by piece."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.prompter = Prompter(tokenizer)
        self.suffix = self._ids(["\nAnswer:"])[0]
        self.marker = self._ids(["\nText:"])[0]
        self.comma = self._ids([";"])[0]

    def encode_many(self, postings: Sequence[Posting]) -> list[Encoded]:
        """One tokenizer call for all metadata and one for all pieces."""
        items = [item_of(posting, "") for posting in postings]
        heads = [ids[: -len(self.suffix)] for ids in self.prompter.item_ids_many(items)]
        pieces = [piece for posting in postings for piece in posting.pieces]
        texts = iter(self._ids([piece.text for piece in pieces]))
        spans = iter(self._ids([piece.span for piece in pieces]))
        return [
            Encoded(
                posting=posting,
                head=head,
                parts=[
                    Part(ids=next(texts), span_ids=next(spans), evidence=p.evidence) for p in posting.pieces
                ],
                known=_known(posting),
            )
            for posting, head in zip(postings, heads, strict=True)
        ]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def item_of(posting: Posting, text: str) -> Item:
    """What the ranker reads of a generated posting, with `text` as its description."""
    return Item(
        title=posting.title,
        company=posting.company,
        location=posting.location,
        employment_type=posting.employment_type,
        remote=posting.remote,
        text=text,
    )


class Pool:
    """Postings of a lexicon, some of pseudo occupations, from which candidate lists are drawn."""

    def __init__(
        self, rng: Random, lexicon: Lexicon, encoder: Encoder, size: int, pseudo: PseudoLexicon | None = None
    ) -> None:
        """A third of the pool are pseudo occupations, four postings each, if `pseudo` is given."""
        self._rng, self._encoder, self._asker = rng, encoder, Asker(lexicon)
        writer = Writer(lexicon)
        kinds = _invented(rng, lexicon, pseudo, size // 12) if pseudo else []
        postings = [writer.write(rng) for _ in range(size - 4 * len(kinds))]
        postings += [writer.write(rng, kind) for kind in kinds for _ in range(4)]
        self.items = encoder.encode_many(postings)
        self._by_key: dict[str, list[Encoded]] = {}
        self._by_group: dict[str, list[Encoded]] = {}
        for item in self.items:
            self._by_key.setdefault(item.posting.facts.occupation.key, []).append(item)
            self._by_group.setdefault(item.posting.facts.occupation.group, []).append(item)

    def query(self) -> tuple[Query, list[Encoded]]:
        """A query and its candidates: the posting that it was asked of, same occupation, related, others."""
        rng = self._rng
        source = pick(rng, self.items)
        facts = source.posting.facts
        query = self._asker.ask(rng, facts, source.posting.title)
        chosen = [source]
        chosen += [pick(rng, self._by_key[facts.occupation.key]) for _ in range(SAME_OCCUPATION)]
        chosen += [pick(rng, self._by_group[facts.occupation.group]) for _ in range(RELATED)]
        chosen += [pick(rng, self.items) for _ in range(CANDIDATES - len(chosen))]
        return query, chosen

    def batch(self, queries: int, window: int) -> list[Example]:
        """`queries` x CANDIDATES examples, those of one query together."""
        out: list[Example] = []
        for _ in range(queries):
            query, candidates = self.query()
            prefix = self._encoder.prompter.prefix_ids(query.text)
            out += [self._example(prefix, query, item, window) for item in candidates]
        return out

    def _example(self, prefix: list[int], query: Query, item: Encoded, window: int) -> Example:
        parts = self._view(item, window)
        facts = item.posting.facts
        seen = set(item.known)
        ids = prefix + item.head + (self._encoder.marker if parts else [])
        places, targets = [], []

        def label() -> float:
            return SOFT_LABELS[grade(query, facts.occupation, facts.town, seen)]

        value = label()
        for part in parts:
            ids = ids + part.ids
            if part.evidence:
                seen.update(part.evidence)
                value = label()
            places.append(len(ids) - 1)
            targets.append(value)
        ids = ids + self._encoder.suffix
        return Example(ids=ids, places=[*places, len(ids) - 1], targets=[*targets, value])

    def _view(self, item: Encoded, window: int) -> list[Part]:
        """Up to `window` tokens of the text: from its start, from anywhere, or its spans as a summary."""
        roll = self._rng.random()
        parts = [p for p in item.parts if p.ids]
        if roll < 0.4:
            parts = self._summary(parts)
        elif roll < 0.75 and parts:
            parts = parts[int(self._rng.random() * len(parts)) :]
        kept, room = [], window
        for part in parts:
            if len(part.ids) > room:
                break
            kept.append(part)
            room -= len(part.ids)
        return kept

    def _summary(self, parts: list[Part]) -> list[Part]:
        share = 0.4 + 0.6 * self._rng.random()
        marked = [p for p in parts if (p.span_ids or p.evidence) and self._rng.random() < share]
        short = self._rng.random() < 0.8
        return [
            Part(
                ids=(p.span_ids if short and p.span_ids else p.ids) + self._encoder.comma,
                span_ids=[],
                evidence=p.evidence,
            )
            for p in marked
        ]


def collate(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids [N, T] right-padded, and flat label coordinates: rows, columns, targets [L] in example order."""
    width = max(len(e.ids) for e in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
    rows = torch.tensor([row for row, e in enumerate(examples) for _ in e.places])
    columns = torch.tensor([place for e in examples for place in e.places])
    targets = torch.tensor([target for e in examples for target in e.targets])
    return ids, rows, columns, targets


def _invented(rng: Random, lexicon: Lexicon, pseudo: PseudoLexicon, count: int) -> list[Occupation]:
    return [pseudo.occupation(rng, pick(rng, lexicon.occupations), number) for number in range(count)]


def _known(posting: Posting) -> frozenset[str]:
    """Evidence that stands in the metadata: true facets of its fields, and skills in the title."""
    facts = posting.facts
    stated = {posting.employment_type: METADATA_TYPES, posting.remote: METADATA_REMOTE}
    known = {
        f"facet:{key}"
        for value, names in stated.items()
        if value
        for key, name in names.items()
        if name == value and key in facts.facets
    }
    return frozenset(known | {f"skill:{s}" for s in facts.skills if s.lower() in posting.title.lower()})
