"""Our figures for the paper's tables 4, 5 and 6, read from the reports on shorter texts in a folder.

`summaries.json`, `summaries-pruned.json` and `summaries-pruned-sft.json` are reports of `nearline evaluate --summaries
--report`, by the dense ranker, by a pruned one that was fine-tuned on raw text, and by one fine-tuned on summaries, all
on the same queries. `sweep.json` is the `results.json` of `nearline train rl-sweep`. A file that is not there is not
measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from training.evaluation import report as reports
from training.evaluation.compression import results as sweeps
from training.evaluation.compression.measured import RAW
from training.evaluation.compression.published import TABLE_4
from training.evaluation.compression.results import Results
from training.evaluation.intervals import interval_json
from training.evaluation.paper.measured import bootstrap_of, check_same, paired_change
from training.evaluation.report import EvaluationReport

DENSE, PRUNED, PRUNED_SFT, SWEEP = "summaries", "summaries-pruned", "summaries-pruned-sft", "sweep"
FILES = tuple(f"{stem}.json" for stem in (DENSE, PRUNED, PRUNED_SFT, SWEEP))
PLAIN = frozenset({RAW, "lead", "textrank", "idf", *(row.name for row in TABLE_4)})
"""Names of ways to shorten that are not trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortTextReports:
    """The reports by the stems of their files, and a sweep's results."""

    reports: Mapping[str, EvaluationReport]
    sweep: Results | None

    def system(self, stem: str, name: str) -> Mapping[str, Any] | None:
        """A way to shorten in a report."""
        return next((one for one in self._systems(stem) if one["name"] == name), None)

    def trained(self, stem: str) -> list[Mapping[str, Any]]:
        """The trained summarizers of a report."""
        return [one for one in self._systems(stem) if one["name"] not in PLAIN]

    def others(self) -> list[Mapping[str, Any]]:
        """The ways to shorten in the dense ranker's report of which the paper's table 4 has no row."""
        known = {RAW, *(row.name for row in TABLE_4)}
        return [one for one in self._systems(DENSE) if one["name"] not in known]

    def change(self, stem: str, system: Mapping[str, Any]) -> dict[str, Any] | None:
        """The paired change of NDCG to the dense ranker on raw text; None where that was not measured."""
        dense = self.system(DENSE, RAW)
        if dense is None:
            return None
        config = bootstrap_of(self.reports[stem])
        return interval_json(paired_change(dict(dense), dict(system), "ndcg", config)[1])

    def _systems(self, stem: str) -> list[Mapping[str, Any]]:
        return list(self.reports[stem]["systems"]) if stem in self.reports else []


def read_short_texts(runs: Path) -> ShortTextReports:
    """Read what there is; ConfigError for a file that is no such report, and for reports on different queries."""
    paths = {stem: runs / f"{stem}.json" for stem in (DENSE, PRUNED, PRUNED_SFT)}
    found = {stem: _report(path) for stem, path in paths.items() if path.is_file()}
    for stem, report in found.items():
        check_same(found.get(DENSE), report, paths[stem], f"{DENSE}.json")
    sweep = runs / f"{SWEEP}.json"
    return ShortTextReports(reports=found, sweep=sweeps.load(sweep) if sweep.is_file() else None)


def _report(path: Path) -> EvaluationReport:
    found = reports.load(path)
    if not all("summaries" in system for system in found["systems"]):
        raise ConfigError(
            f"{path} says nothing of lengths: make it by `nearline evaluate --summaries … --report`"
        )
    return found
