"""Judging by rules for `nearline train judge`: given queries with needs, or queries drawn from the postings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from schemas.errors import ConfigError
from training.components.reporting import to_stderr
from training.components.summaries import Summaries
from training.judging.drawing import Drawing
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Ask, Judgement, Split
from training.judging.splits import check_no_leak
from training.rules.dense import dense_over
from training.rules.judge import JudgeConfig, judged, judged_matches, prepare
from training.rules.lexicon.entries import DOMAINS, lexicon
from training.rules.second import judging as second
from training.rules.teacher import NAME, RuleTeacher

COUNTS = JudgeConfig().queries
"""Default number of queries drawn for each split."""


def rule_teacher(asks: Sequence[Ask]) -> RuleTeacher:
    """The rule teacher of the domain that all `needs` name; ConfigError names a query without one or with another."""
    domains = [_domain(ask) for ask in asks]
    others = [ask.query_id for ask, domain in zip(asks, domains, strict=True) if domain != domains[0]]
    if others:
        raise ConfigError(
            f"query {others[0]!r} is of another domain than {asks[0].query_id!r}: judge each domain by itself"
        )
    return RuleTeacher(lexicon(next(domain for domain in DOMAINS if domain == domains[0])))


def drawn(
    postings: Sequence[PostingRow],
    counts: Mapping[Split, int],
    policy: Policy,
    seed: int,
    cache: Path,
    drawing: Drawing = Drawing(),  # noqa: B008
) -> Iterator[list[Judgement]]:
    """Draw queries with judged pools, split after split; ConfigError if policy and rules differ in dimensions."""
    matched = Summaries(cache / "summaries", drawing.matched_by, to_stderr) if drawing.matched_by else None
    if drawing.rules == "second":
        yield from second.drawn(postings, counts, policy, seed, drawing, matched)
        return
    prepared = prepare(list(postings), drawing.domain, cache)
    check_no_leak(prepared.splits.postings)
    config = JudgeConfig()
    for name, count in counts.items():
        pool = config.train_pool if name == "train" else config.pool
        near = dense_over(prepared.splits.postings[name]) if drawing.dense and name != "train" else None
        try:
            if matched:
                yield from judged_matches(prepared, name, count, seed, policy, matched, drawing.asked)
            else:
                yield from judged(prepared, name, count, seed, pool, policy, near, drawing.asked)
        except ValueError as error:
            raise ConfigError(f"{NAME} does not grade by the policy {policy.identity}: {error}") from error


def _domain(ask: Ask) -> str:
    needs = ask.needs
    if needs.get("domain") not in DOMAINS:
        raise ConfigError(
            f"query {ask.query_id!r}: the rules need to know what is behind a query, "
            f"needs: {{domain: {' or '.join(DOMAINS)}, occupation, facets, place}}, not {needs!r:.80}"
        )
    if not isinstance(needs.get("occupation"), str) or not isinstance(needs.get("facets", {}), dict | list):
        raise ConfigError(
            f"query {ask.query_id!r}: needs.occupation must be a text and needs.facets a list, not {needs!r:.80}"
        )
    return str(needs["domain"])
