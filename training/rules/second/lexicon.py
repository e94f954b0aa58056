"""The second rule set's words: jobs and wants as keyword lists, read from `words/*.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.errors import ConfigError
from training.judging.drawing import Domain
from training.rules.lexicon.entries import check_one_owner

_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A kind of work: `named` finds it in plain titles, `barred` rules a title out; jobs of one `trade` are related."""

    key: str
    trade: str
    named: re.Pattern[str]
    barred: re.Pattern[str]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What a searcher may want: `said` and `contrary` are looked for in plain sentences."""

    key: str
    must: bool
    said: re.Pattern[str]
    contrary: re.Pattern[str]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLexicon:
    """The jobs and wants of one domain."""

    domain: Domain
    jobs: Mapping[str, Job]
    wants: Mapping[str, Want]


@cache
def second_lexicon(domain: Domain) -> SecondLexicon:
    """The second rule set's words of a domain; ConfigError names the file and the line that is wrong."""
    jobs = {key: _job(key, *rest) for key, *rest in _lines(f"jobs_{domain}.txt", 4)}
    wants = {key: _want(key, *rest) for key, *rest in _lines(f"wants_{domain}.txt", 5)}
    for entries in (jobs, wants):
        check_one_owner(f"second {domain}", {key: entry.asked for key, entry in entries.items()})
    return SecondLexicon(domain=domain, jobs=jobs, wants=wants)


def plain(text: str) -> str:
    """Lower-case words with single spaces between them; signs other than + # ' are dropped."""
    return " ".join(re.sub(r"[^a-z0-9+#'’]+", " ", text.lower()).replace("’", "'").split())


def _lines(name: str, fields: int) -> Iterator[list[str]]:
    text = (Path(__file__).parent / "words" / name).read_text("utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        row = [field.strip() for field in line.split(";")]
        if len(row) != fields:
            raise ConfigError(f"{name}, line {number}: {len(row)} fields, not {fields}: {line[:60]!r}")
        yield row


def _job(key: str, trade: str, titles: str, asked: str) -> Job:
    cues = _parts(titles)
    return Job(
        key=key,
        trade=trade,
        named=_any_of([cue for cue in cues if not cue.startswith("!")]),
        barred=_any_of([cue[1:] for cue in cues if cue.startswith("!")]),
        asked=_parts(asked),
    )


def _want(key: str, kind: str, said: str, contrary: str, asked: str) -> Want:
    return Want(
        key=key,
        must=kind == "must",
        said=_any_of(_parts(said)),
        contrary=_any_of(_parts(contrary)),
        asked=_parts(asked),
    )


def _parts(field: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in field.split(" / ") if part.strip())


def _any_of(cues: Sequence[str]) -> re.Pattern[str]:
    if not cues:
        return _NEVER
    words = [re.escape(plain(cue)) + ("[a-z]*" if cue.endswith("*") else "s?") for cue in cues]
    return re.compile(rf"(?<![a-z0-9+#])(?:{'|'.join(words)})(?![a-z0-9+#])")
