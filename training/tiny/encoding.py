"""Generated postings as token ids, piece by piece, so that prompts of any window can be joined from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from models.prompts import Item, Prompter
from training.synthetic.postings import METADATA_REMOTE, METADATA_TYPES, GeneratedPosting


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPiece:
    """A piece of text as ids, the ids of its span, and the tags of the facts that it states."""

    ids: list[int]
    span_ids: list[int]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPosting:
    """A posting as ids: `head` is its prompt up to the text, `parts` the text, `known` tags stated in other fields."""

    posting: GeneratedPosting
    head: list[int]
    parts: list[EncodedPiece]
    known: frozenset[str]


class Encoder:
    """Encodes postings to the same ids as `models.prompts`, but piece by piece."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.prompter = Prompter(tokenizer)
        self.suffix = self._ids(["\nAnswer:"])[0]
        self.marker = self._ids(["\nText:"])[0]
        self.comma = self._ids([";"])[0]
        self.joiners = [self.comma, self.comma, *self._ids(["…", ",", "."])]
        """What stands behind each part of a selection; most often a semicolon, as the summarizers write."""

    def encode_many(self, postings: Sequence[GeneratedPosting]) -> list[EncodedPosting]:
        """Encode postings; one tokenizer call for all metadata, one for all pieces, one for all spans."""
        items = [item_of(posting, "") for posting in postings]
        heads = [ids[: -len(self.suffix)] for ids in self.prompter.item_ids_many(items)]
        pieces = [piece for posting in postings for piece in posting.pieces]
        texts = iter(self._ids([piece.text for piece in pieces]))
        spans = iter(self._ids([piece.span for piece in pieces]))
        return [
            EncodedPosting(
                posting=posting,
                head=head,
                parts=[
                    EncodedPiece(ids=next(texts), span_ids=next(spans), evidence=p.evidence)
                    for p in posting.pieces
                ],
                known=_known(posting),
            )
            for posting, head in zip(postings, heads, strict=True)
        ]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def item_of(posting: GeneratedPosting, text: str) -> Item:
    """The ranker's item of a generated posting, with `text` as its description."""
    return Item(
        title=posting.title,
        company=posting.company,
        location=posting.location,
        employment_type=posting.employment_type,
        remote=posting.remote,
        text=text,
    )


def _known(posting: GeneratedPosting) -> frozenset[str]:
    """Tags of facts that title and metadata state: true facets of the fields, and skills named in the title."""
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
