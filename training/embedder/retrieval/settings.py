"""Settings of a measurement of retrieval."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from schemas.settings import Option
from training.evaluation.settings import BootstrapConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalConfig:
    """How many queries are asked, how deep retrieval goes, and on how many queries the ranker orders what was found."""

    queries: Annotated[int, Option("Queries of each set of the first rules.", at_least=1)] = 150
    second: Annotated[int, Option("Queries of the second rules.", at_least=1)] = 150
    ranked: Annotated[
        int, Option("Queries of each set whose first postings the ranker orders; 0: none.", at_least=0)
    ] = 40
    depth: Annotated[int, Option("Postings that are retrieved: the k of recall@k.", at_least=10)] = 100
    minilm: Annotated[Path | None, Option("Folder in which MiniLM's vectors are kept.")] = None
    seed: Annotated[int, Option("Seed of the queries.", at_least=0)] = 0
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
