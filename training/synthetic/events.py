"""A generated stream of posting updates, for load: adds, small and large edits, closes, openings, reposts, removals.

`generate_events` yields dicts in the documented stream format `{ts, op, id, posting}`, the same for the same seed. A
few events are late: they come after events with a later `ts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from training.synthetic.lexicon import load
from training.synthetic.postings import GeneratedPosting, Writer, pick

Event = dict[str, Any]

#: Ten million events end well before today, so that none is a dead letter for lying in the future.
START = datetime(2017, 1, 2, 8, 0, tzinfo=UTC)
MEAN_GAP_S = 20.0
DISTINCT_TEXTS = 2_000
"""Postings that are written anew; later ones mix the sentences of two earlier ones."""
LATE_SHARE = 0.03
LATE_BY = 40
OPS = ("update", "close", "repost", "remove")
OP_WEIGHTS = (72, 13, 12, 3)
EDITS = ("trivial", "material", "metadata", "none")
EDIT_WEIGHTS = (45, 25, 20, 10)


@dataclass(slots=True, kw_only=True)
class _Live:
    """The present state of one posting of the stream."""

    id: str
    fields: dict[str, Any]
    texts: list[str]
    closed: bool = False
    removed: bool = False


def generate_events(n_postings: int, n_events: int, seed: int = 0) -> Iterator[Event]:
    """Generate `n_events` events about `n_postings` postings (ValueError unless 1 <= n_postings <= n_events).

    Each posting is added; a closed one may be edited; a removed one may only be added again.
    """
    if not 1 <= n_postings <= n_events:
        raise ValueError(f"{n_events} events cannot add {n_postings} postings and at least one")
    return _late(Random(seed), _Stream(Random(seed + 1)).events(n_postings, n_events))


def _late(rng: Random, events: Iterator[Event]) -> Iterator[Event]:
    """The events, of which a share LATE_SHARE comes late: after up to LATE_BY of the events that follow."""
    held: list[tuple[int, Event]] = []
    for place, event in enumerate(events):
        while held and held[0][0] <= place:
            yield held.pop(0)[1]
        if rng.random() < LATE_SHARE and event["op"] != "add":
            held.append((place + 1 + int(rng.random() * LATE_BY), event))
            held.sort(key=lambda item: item[0])
        else:
            yield event
    yield from (event for _, event in held)


class _Stream:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._writer = Writer(load("all"))
        self._written: list[GeneratedPosting] = []
        self._live: list[_Live] = []
        self._now_s = 0.0

    def events(self, n_postings: int, n_events: int) -> Iterator[Event]:
        """Yield `n_events` events about `n_postings` postings; the first events of these are spread over the stream."""
        for left in range(n_events, 0, -1):
            to_add = n_postings - len(self._live)
            self._now_s += self._rng.random() * 2 * MEAN_GAP_S
            must_add = not self._live or self._rng.random() * left < to_add
            yield self._add() if must_add else self._change()

    def _add(self) -> Event:
        posting, texts = self._text()
        fields = {
            "title": posting.title,
            "company": posting.company,
            "location": posting.location,
            "employment_type": posting.employment_type,
            "remote": posting.remote,
            "salary": posting.salary,
        }
        live = _Live(id=f"load-{len(self._live):07d}", fields=fields, texts=texts)
        self._live.append(live)
        return self._event("add", live)

    def _text(self) -> tuple[GeneratedPosting, list[str]]:
        if len(self._written) < DISTINCT_TEXTS:
            posting = self._writer.write(self._rng)
            self._written.append(posting)
            return posting, [piece.text for piece in posting.pieces]
        one, other = pick(self._rng, self._written), pick(self._rng, self._written)
        cut = int(self._rng.random() * len(one.pieces))
        kept = one.pieces[:cut] + other.pieces[len(other.pieces) // 2 :] + one.pieces[cut:]
        return one, [piece.text for piece in kept]

    def _change(self) -> Event:
        """An event about a posting that is not removed; if twenty draws find none, a removed one is added again."""
        for _ in range(20):
            live = pick(self._rng, self._live)
            if not live.removed:
                break
        else:
            return self._add_again(live)
        if live.closed and self._rng.random() < 0.5:
            live.closed = False
            return self._event("open", live, bare=self._rng.random() < 0.5)
        op = self._rng.choices(OPS, OP_WEIGHTS)[0]
        if op == "update":
            self._edit(live)
        live.closed = op == "close" or (live.closed and op == "update")
        live.removed = op == "remove"
        return self._event(op, live, bare=op in {"close", "remove"})

    def _add_again(self, live: _Live) -> Event:
        live.removed = live.closed = False
        return self._event("add", live)

    def _edit(self, live: _Live) -> None:
        kind = self._rng.choices(EDITS, EDIT_WEIGHTS)[0]
        if kind == "metadata":
            live.fields = live.fields | {"salary": f"£{18 + int(self._rng.random() * 60)},000"}
        elif kind != "none":
            texts = list(live.texts)
            at = int(self._rng.random() * len(texts))
            texts[at] = _retyped(texts[at]) if kind == "trivial" else self._other_sentence()
            live.texts = texts

    def _other_sentence(self) -> str:
        return pick(self._rng, pick(self._rng, self._written).pieces).text

    def _event(self, op: str, live: _Live, *, bare: bool = False) -> Event:
        moment = START + timedelta(seconds=int(self._now_s))
        event: Event = {"ts": moment.isoformat(), "op": op, "id": live.id}
        if not bare:
            event["posting"] = live.fields | {"description": "".join(live.texts).strip()}
        return event


def _retyped(text: str) -> str:
    """The text with one more comma or space: an edit that changes no meaning."""
    return text.replace(" and ", ", and ", 1) if " and " in text else f"{text.rstrip()}  "
