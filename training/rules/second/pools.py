"""Queries and judged pools of the second rule set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Protocol

from typing_extensions import override

from training.judging.postings import PostingRow
from training.judging.records import Ask, TeacherVerdict
from training.rules.matching import SummaryMatcher
from training.rules.second.grading import Meant, verdict
from training.rules.second.lexicon import SecondLexicon, plain
from training.rules.second.reading import Reading

SMALLEST, LARGEST = 20, 26
FEWEST_OF_JOB = 3
LIKE_WORDS, SAME_JOB, SAME_TRADE, SAME_WANTS = 6, 8, 4, 4
WANTS = (0, 0, 1, 1, 1, 2, 2, 3)
_BARE = ("{j}", "{j}?", "need {j}", "{j} please", "where is there {j}")
_FULL = ("{w} - {j}", "{j} with {w}", "{j}; {w}", "want {j}, {w}", "{w} {j}", "{j} but {w}", "{j} + {w}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPostings:
    """The postings of the test split and what each says, in one order."""

    words: SecondLexicon
    postings: tuple[PostingRow, ...]
    heard: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A drawn query with its meaning and the position of the posting from which it was drawn."""

    ask: Ask
    meant: Meant
    source: int


def questions(read: ReadPostings, rng: Random) -> Iterator[Question]:
    """Draw queries without end about postings whose jobs FEWEST_OF_JOB postings have; none where there are none."""
    having = Counter(key for heard in read.heard for key in heard.jobs)
    usable = [key for key, count in having.items() if count >= FEWEST_OF_JOB]
    of_job = {key: [i for i, heard in enumerate(read.heard) if key in heard.jobs] for key in usable}
    number = 0
    while usable:
        job = rng.choice(usable)
        source = rng.choice(of_job[job])
        fit = sorted(read.heard[source].granted - read.heard[source].mixed)
        meant = Meant(job=job, wants=tuple(rng.sample(fit, min(len(fit), rng.choice(WANTS)))))
        yield Question(ask=_ask(read.words, meant, rng, number), meant=meant, source=source)
        number += 1


def _ask(words: SecondLexicon, meant: Meant, rng: Random, number: int) -> Ask:
    said = [rng.choice(words.wants[key].asked) for key in meant.wants]
    shape = rng.choice(_FULL if said else _BARE)
    text = shape.format(j=rng.choice(words.jobs[meant.job].asked), w=rng.choice((", ", " and ")).join(said))
    kind = ("title only", "one facet")[len(said)] if len(said) < 2 else "several facets"
    negated = ("negated constraint",) if any(key.startswith("no_") for key in meant.wants) else ()
    return Ask(
        query_id=f"{words.domain}-second-{number:05d}",
        query=text,
        needs=meant.as_json(words),
        split="test",
        strata=(words.domain, kind, "second rules", "unseen company", *negated),
    )


def graded(read: ReadPostings, meant: Meant, positions: Sequence[int]) -> list[tuple[int, TeacherVerdict]]:
    """The positions whose postings can be graded for what is meant, with their verdicts."""
    found = ((i, verdict(meant, read.heard[i], read.words)) for i in positions)
    return [(i, one) for i, one in found if one]


class QuestionPools(Protocol):
    """Draws the judged pool of a question."""

    def pool(self, question: Question, rng: Random) -> list[tuple[int, TeacherVerdict]] | None:
        """Positions with verdicts in random order; None for a question that is left out."""
        ...


class MatchedSecondPools(QuestionPools):
    """What the matcher finds for a question by summaries, as alerts meet it."""

    def __init__(self, read: ReadPostings, matcher: SummaryMatcher) -> None:
        """`matcher`: over the postings, in their order."""
        self._read, self._matcher = read, matcher

    @override
    def pool(self, question: Question, rng: Random) -> list[tuple[int, TeacherVerdict]] | None:
        """The matching postings that can be graded; None where none can."""
        return graded(self._read, question.meant, self._matcher.matching(question.ask.query, rng)) or None


class SecondPools(QuestionPools):
    """Candidates by shared words, job, trade and wants, then strangers; at least SMALLEST that can be graded."""

    def __init__(self, read: ReadPostings) -> None:
        self._read = read
        self._words = [frozenset(plain(f"{p.item.title} {p.item.text}").split()) for p in read.postings]
        counts = Counter(word for words in self._words for word in words)
        self._rarity: Mapping[str, float] = {w: log(len(self._words) / n) for w, n in counts.items()}
        self._of_job: defaultdict[str, list[int]] = defaultdict(list)
        for position, heard in enumerate(read.heard):
            for key in heard.jobs:
                self._of_job[key].append(position)

    @override
    def pool(self, question: Question, rng: Random) -> list[tuple[int, TeacherVerdict]] | None:
        """Positions with verdicts in random order; None where fewer than SMALLEST postings can be graded."""
        read, meant = self._read, question.meant
        trade = read.words.jobs[meant.job].trade
        related = [
            i
            for k, j in read.words.jobs.items()
            if j.trade == trade and k != meant.job
            for i in self._of_job[k]
        ]
        wanted = [i for i, heard in enumerate(read.heard) if heard.granted.issuperset(meant.wants)]
        chosen = [question.source, *self._alike(question.ask.query)]
        for positions, count in (
            (self._of_job[meant.job], SAME_JOB),
            (related, SAME_TRADE),
            (wanted, SAME_WANTS),
        ):
            chosen += rng.sample(positions, min(count, len(positions)))
        chosen += rng.sample(range(len(read.postings)), min(2 * LARGEST, len(read.postings)))
        found = graded(read, meant, list(dict.fromkeys(chosen)))[:LARGEST]
        rng.shuffle(found)
        return found if len(found) >= SMALLEST else None

    def _alike(self, query: str) -> list[int]:
        asked = frozenset(plain(query).split())
        scored = [(sum(self._rarity[w] for w in asked & words), -i) for i, words in enumerate(self._words)]
        return [-i for score, i in sorted(scored, reverse=True)[:LIKE_WORDS] if score > 0]
