"""Training prompts over generated postings, labelled with the grade of the text up to each place."""

from __future__ import annotations

from random import Random

from training.synthetic.facts import SOFT_LABELS, GeneratedQuery, grade
from training.synthetic.lexicon import Lexicon, Occupation
from training.synthetic.postings import Writer, pick
from training.synthetic.queries import Asker
from training.tiny.encoding import EncodedPiece, EncodedPosting, Encoder
from training.tiny.ranker.examples import CANDIDATES, LabelledPrompt
from training.tiny.ranker.pseudo_occupations import PseudoLexicon

SAME_OCCUPATION = 3
RELATED = 1


class GeneratedPool:
    """A pool of generated postings, from which queries and their candidates are drawn."""

    def __init__(
        self, rng: Random, lexicon: Lexicon, encoder: Encoder, size: int, pseudo: PseudoLexicon | None = None
    ) -> None:
        """Generate `size` postings.

        With `pseudo` a third of them, four of each, are of occupations that do not exist.
        """
        self._rng, self._encoder, self._asker = rng, encoder, Asker(lexicon)
        writer = Writer(lexicon)
        kinds = _invented(rng, lexicon, pseudo, size // 12) if pseudo else []
        postings = [writer.write(rng) for _ in range(size - 4 * len(kinds))]
        postings += [writer.write(rng, kind) for kind in kinds for _ in range(4)]
        self.items = encoder.encode_many(postings)
        self._by_key: dict[str, list[EncodedPosting]] = {}
        self._by_group: dict[str, list[EncodedPosting]] = {}
        for item in self.items:
            self._by_key.setdefault(item.posting.facts.occupation.key, []).append(item)
            self._by_group.setdefault(item.posting.facts.occupation.group, []).append(item)

    def query(self) -> tuple[GeneratedQuery, list[EncodedPosting]]:
        """A query and its candidates: the posting asked about, some of its occupation, a related one, others."""
        rng = self._rng
        source = pick(rng, self.items)
        facts = source.posting.facts
        query = self._asker.ask(rng, facts, source.posting.title)
        chosen = [source]
        chosen += [pick(rng, self._by_key[facts.occupation.key]) for _ in range(SAME_OCCUPATION)]
        chosen += [pick(rng, self._by_group[facts.occupation.group]) for _ in range(RELATED)]
        chosen += [pick(rng, self.items) for _ in range(CANDIDATES - len(chosen))]
        return query, chosen

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """`queries` x CANDIDATES prompts, those of one query together."""
        out: list[LabelledPrompt] = []
        for _ in range(queries):
            query, candidates = self.query()
            prefix = self._encoder.prompter.prefix_ids(query.text)
            out += [self._example(prefix, query, item, window) for item in candidates]
        return out

    def _example(
        self, prefix: list[int], query: GeneratedQuery, item: EncodedPosting, window: int
    ) -> LabelledPrompt:
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
        return LabelledPrompt(ids=ids, places=[*places, len(ids) - 1], targets=[*targets, value])

    def _view(self, item: EncodedPosting, window: int) -> list[EncodedPiece]:
        """The pieces that a prompt holds, at most `window` tokens: from the start, from anywhere, or a summary."""
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

    def _summary(self, parts: list[EncodedPiece]) -> list[EncodedPiece]:
        share = 0.4 + 0.6 * self._rng.random()
        marked = [p for p in parts if (p.span_ids or p.evidence) and self._rng.random() < share]
        short = self._rng.random() < 0.8
        return [
            EncodedPiece(
                ids=(p.span_ids if short and p.span_ids else p.ids) + self._encoder.comma,
                span_ids=[],
                evidence=p.evidence,
            )
            for p in marked
        ]


def _invented(rng: Random, lexicon: Lexicon, pseudo: PseudoLexicon, count: int) -> list[Occupation]:
    return [pseudo.occupation(rng, pick(rng, lexicon.occupations), number) for number in range(count)]
