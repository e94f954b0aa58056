"""Spelling variants and typing mistakes; words inside a span get the former only."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from training.synthetic.lexicon import spellings
from training.synthetic.pieces import Piece

TYPO_SHARE = 0.25
"""Share of postings with typing mistakes; an affected posting has one in about six pieces."""
SHOUT_SHARE = 0.03
"""Share of postings in capitals."""

_SPELLINGS = spellings()


def distort(rng: Random, pieces: Sequence[Piece], *, american: bool) -> list[Piece]:
    """The pieces with another spelling and, in some postings, with mistakes."""
    out = [_american(piece) for piece in pieces] if american else list(pieces)
    roll = rng.random()
    if roll < TYPO_SHARE:
        out = [_mistyped(rng, piece) if rng.random() < 0.16 else piece for piece in out]
    elif roll > 1 - SHOUT_SHARE:
        out = [Piece(text=p.text.upper(), span=p.span.upper(), evidence=p.evidence) for p in out]
    return out


def _american(piece: Piece) -> Piece:
    text, span = piece.text, piece.span
    for british, american in _SPELLINGS:
        if british in text:
            text, span = text.replace(british, american), span.replace(british, american)
    return Piece(text=text, span=span if span in text else "", evidence=piece.evidence)


def _mistyped(rng: Random, piece: Piece) -> Piece:
    """Two neighbouring letters swapped or one dropped, outside the span."""
    start = piece.text.find(piece.span) if piece.span else len(piece.text)
    if start < 4:
        return piece
    at = int(rng.random() * (start - 3)) + 1
    a, b = piece.text[at], piece.text[at + 1]
    if not (a.isalpha() and b.isalpha()):
        return piece
    text = piece.text[:at] + (b + a if rng.random() < 0.5 else b) + piece.text[at + 2 :]
    return Piece(text=text, span=piece.span if piece.span in text else "", evidence=piece.evidence)
