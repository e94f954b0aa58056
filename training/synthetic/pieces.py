"""The parts that a generated description is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text, the tags of the facts that it states, and its words that a summary keeps ("" for none)."""

    text: str
    span: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The pieces of one description by subject, before a layout puts them in order."""

    intro: list[Piece] = field(default_factory=list)
    about: list[Piece] = field(default_factory=list)
    duties: list[Piece] = field(default_factory=list)
    want: list[Piece] = field(default_factory=list)
    terms: list[Piece] = field(default_factory=list)
    offer: list[Piece] = field(default_factory=list)
    legal: list[Piece] = field(default_factory=list)
    apply: list[Piece] = field(default_factory=list)
