"""The real postings that a ranker trains on, by domain; a domain that is missing or looks like another is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import ConfigError
from training.components.reporting import Log
from training.judging.drawing import Domain
from training.judging.postings import PostingRow, read_postings
from training.rules.corpus import domain_of
from training.rules.judge import PreparedDomain, prepare
from training.tiny.settings import RealData


def real_domains(real: RealData, wanted: Sequence[Domain], report: Log) -> list[PreparedDomain]:
    """The postings of each wanted domain whose file is given, split, with their evidence; [] where no file is given.

    ConfigError names a file that is not there or without a posting; `report` gets a warning for each wanted domain that
    has no file although others have, and for a file whose titles are those of another domain.
    """
    files = {domain: path for domain in wanted if (path := getattr(real, domain))}
    for domain in wanted if files else ():
        if domain not in files:
            report(
                f"warning: no file of the domain {domain} is given (--{domain} FILE): the ranker does not learn it"
            )
    found = []
    for domain, path in files.items():
        report(f"{domain}: reading {path}, looking for near-duplicates and evidence …")
        found.append(prepare(_postings(domain, path, report), domain, real.cache))
    return found


def _postings(domain: Domain, path: Path, report: Log) -> list[PostingRow]:
    if not path.is_file():
        raise ConfigError(f"--{domain} {path}: there is no such file")
    postings = list(read_postings(path))
    if not postings:
        raise ConfigError(f"--{domain} {path}: no posting is in it")
    if (told := domain_of(postings)) != domain:
        report(
            f"warning: --{domain} {path}: most of its titles are of the domain {told}; is it the right file?"
        )
    return postings
