"""Document layouts: sections of pieces in, one flat list of pieces out whose texts join to a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from training.synthetic.pieces import Piece, Sections

Prose = Mapping[str, Sequence[str]]
Layout = Callable[[Random, Sections, Prose, str], list[Piece]]


def arrange(rng: Random, sections: Sections, prose: Prose, title: str) -> list[Piece]:
    """The pieces in the order and dress of a randomly chosen layout."""
    return rng.choices(LAYOUTS, WEIGHTS)[0](rng, sections, prose, title)


def bulleted(rng: Random, sections: Sections, prose: Prose, _title: str) -> list[Piece]:
    """An introduction, then headed lists."""
    mark = _one(rng, ("- ", "* ", "• ", "– ", "", "o "))
    loud = rng.random() < 0.2
    end = _one(rng, (":\n", "\n", "\n\n"))

    def head(kind: str) -> list[Piece]:
        text = _one(rng, prose[f"heading_{kind}"])
        return [Piece(text=f"\n{text.upper() if loud else text}{end}")]

    out = _paragraph(sections.intro) + _paragraph(sections.about)
    blocks = [
        head("duties") + _lines(sections.duties, mark),
        head("want") + _lines(sections.want, mark),
        head("offer") + _lines(sections.terms + sections.offer, mark),
    ]
    if rng.random() < 0.3:
        rng.shuffle(blocks)
    return out + [piece for block in blocks for piece in block] + _tail(rng, sections, head("apply"))


def prose_only(rng: Random, sections: Sections, prose: Prose, _title: str) -> list[Piece]:
    """Paragraphs without headings; the terms may come early."""
    duties = _sentences(rng, sections.duties, prose)
    middle = [sections.about, duties, sections.want, sections.terms + sections.offer]
    if rng.random() < 0.4:
        rng.shuffle(middle)
    blocks = [sections.intro, *middle, sections.legal, sections.apply]
    return [piece for block in blocks for piece in _paragraph(block)]


def mingled(rng: Random, sections: Sections, prose: Prose, _title: str) -> list[Piece]:
    """One unbroken paragraph in which everything stands anywhere."""
    body = _sentences(rng, sections.duties, prose) + sections.want + sections.terms + sections.offer
    body += sections.about + sections.legal
    rng.shuffle(body)
    gap = "" if rng.random() < 0.15 else " "
    pieces = sections.intro + body + sections.apply
    return [_after(piece, gap if piece.text.endswith(".") else " ") for piece in pieces]


def letter(rng: Random, sections: Sections, prose: Prose, title: str) -> list[Piece]:
    """A letter to the reader."""
    greeting = _one(
        rng, ("Dear applicant,", "Hello,", "Dear colleague,", "Hi there!", "To whom it may concern,")
    )
    goodbye = _one(rng, ("Yours faithfully,", "Best wishes,", "See you soon!", "Kind regards,"))
    body = prose_only(rng, sections, prose, title)
    return [Piece(text=f"{greeting}\n\n"), *body, Piece(text=f"{goodbye}\nthe hiring team")]


def questions(rng: Random, sections: Sections, prose: Prose, _title: str) -> list[Piece]:
    """Questions and answers."""

    def ask(kind: str) -> Piece:
        return Piece(text=f"\n{_one(rng, prose[f'question_{kind}'])}\n")

    duties = _sentences(rng, sections.duties, prose)
    return [
        *_paragraph(sections.intro),
        *([ask("about"), *_paragraph(sections.about)] if sections.about else []),
        ask("duties"),
        *_paragraph(duties),
        ask("want"),
        *_paragraph(sections.want),
        ask("offer"),
        *_paragraph(sections.terms + sections.offer + sections.legal),
        ask("apply"),
        *_paragraph(sections.apply),
    ]


def fragments(rng: Random, sections: Sections, _prose: Prose, title: str) -> list[Piece]:
    """A small ad: clipped words, few verbs."""
    gap = _one(rng, ("; ", ". ", " | ", ", ", " / ", "\n"))
    kept = [
        piece for piece in sections.terms + sections.want + sections.duties if piece.span or piece.evidence
    ]
    rng.shuffle(kept)
    clipped = [replace(p, text=p.span) if p.span and rng.random() < 0.6 else p for p in kept]
    clipped = [replace(p, text=p.text.rstrip(".")) for p in clipped]
    return [Piece(text=f"{title}{gap}"), *(_after(p, gap) for p in clipped), *_paragraph(sections.apply)]


def boilerplate_first(rng: Random, sections: Sections, prose: Prose, title: str) -> list[Piece]:
    """The employer speaks of itself for a long while before it says what the work is."""
    first = [*_paragraph(sections.about), *_paragraph(sections.legal), *_paragraph(sections.offer)]
    rest = replace(sections, about=[], legal=[], offer=[])
    return first + bulleted(rng, rest, prose, title)


def facts_first(rng: Random, sections: Sections, prose: Prose, title: str) -> list[Piece]:
    """A block of terms at the top, as forms print it."""
    rest = replace(sections, terms=[])
    return _lines(sections.terms, "") + prose_only(rng, rest, prose, title)


LAYOUTS: tuple[Layout, ...] = (
    bulleted,
    prose_only,
    mingled,
    letter,
    questions,
    fragments,
    boilerplate_first,
    facts_first,
)
WEIGHTS = (30, 22, 12, 6, 8, 8, 8, 6)


def _one(rng: Random, values: Sequence[str]) -> str:
    return values[int(rng.random() * len(values))]


def _after(piece: Piece, gap: str) -> Piece:
    return Piece(text=piece.text + gap, span=piece.span, evidence=piece.evidence)


def _paragraph(pieces: Sequence[Piece]) -> list[Piece]:
    return [_after(piece, " ") for piece in pieces[:-1]] + [_after(piece, "\n\n") for piece in pieces[-1:]]


def _lines(pieces: Sequence[Piece], mark: str) -> list[Piece]:
    return [Piece(text=f"{mark}{p.text}\n", span=p.span, evidence=p.evidence) for p in pieces]


def _sentences(rng: Random, duties: Sequence[Piece], prose: Prose) -> list[Piece]:
    """Duties, which the lexicon holds as bare verb phrases, as whole sentences."""
    leads = prose["duty_lead"]
    return [Piece(text=f"{_one(rng, leads)} {p.text}.", span=p.span, evidence=p.evidence) for p in duties]


def _tail(rng: Random, sections: Sections, head: list[Piece]) -> list[Piece]:
    legal, apply = _paragraph(sections.legal), _paragraph(sections.apply)
    return head + apply + legal if apply and rng.random() < 0.5 else legal + apply
