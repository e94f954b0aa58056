"""A report as tables for a terminal with 100 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.evaluation.domain_tables import domain_tables, languages_table
from training.evaluation.report import EvaluationReport
from training.evaluation.table_cells import difference, empty_table, point, spread

WIDTH = 100


def tables(report: EvaluationReport) -> RenderableType:
    """Tables of all systems, domains, strata and calibration, then the notes, counts and tie rule as text."""
    parts: list[RenderableType] = [_systems(report)]
    relevant = report["settings"]["relevant"]
    for name, section in report["domains"].items():
        parts += domain_tables(name, section, relevant)
    if report.get("other_languages"):
        parts.append(languages_table(report["other_languages"]))
    if report["strata"]:
        parts.append(_strata(report))
    if any(system["calibration"] for system in report["systems"]):
        parts += [_calibration(report), _reliability(report)]
    parts += [Text(note) for note in report["settings"]["notes"]]
    return Group(*parts, Text(_counted(report)), Text(_ties(report)), Text(report["statement"], style="dim"))


def _systems(report: EvaluationReport) -> Table:
    k, first = report["settings"]["k"], report["systems"][0]["name"]
    table = empty_table(
        f"NDCG@{k} and poor matches, {report['settings']['confidence']:.0%} intervals", "system"
    )
    for title in (f"NDCG@{k} linear", f"minus {escape(first)}", "2^g-1", "poor match"):
        table.add_column(title, justify="right", no_wrap=True)
    for system in report["systems"]:
        linear = system["metrics"]["ndcg"]
        table.add_row(
            Text(system["name"]),
            spread(linear),
            difference(linear.get("minus_first")),
            point(system["metrics"]["ndcg_exp"]["mean"]),
            point(system["metrics"]["poor_match"]["mean"]),
        )
    return table


def _strata(report: EvaluationReport) -> Table:
    table = empty_table("NDCG, linear, by stratum", "stratum")
    names = [system["name"] for system in report["systems"]]
    for name in ("queries", *map(escape, names)):
        table.add_column(name, justify="right")
    for stratum, queries in report["strata"].items():
        cells = [point(system["strata"][stratum]["ndcg"]["mean"]) for system in report["systems"]]
        table.add_row(Text(stratum), str(queries), *cells)
    return table


def _calibration(report: EvaluationReport) -> Table:
    relevant = report["settings"]["relevant"]
    table = empty_table(f"p_yes against grade >= {relevant}, and against the soft label", "system")
    for title in ("AUC", "Brier", "ECE", "Brier, soft", "ECE, soft"):
        table.add_column(title, justify="right", no_wrap=True)
    for system in report["systems"]:
        if found := system["calibration"]:
            cells = [point(found[name]) for name in ("brier", "ece", "brier_soft", "ece_soft")]
            auc = {"mean": found["auc"], "low": found["auc_low"], "high": found["auc_high"]}
            table.add_row(Text(system["name"]), spread(auc), *cells)
    return table


def _reliability(report: EvaluationReport) -> Table:
    system = next(system for system in report["systems"] if system["calibration"])
    table = empty_table(f"Reliability of {escape(system['name'])}", "")
    bins = system["calibration"]["bins"]
    for number in range(1, len(bins) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    for title, key in (("p_yes", "p_yes"), ("relevant", "relevant"), ("soft label", "soft_label")):
        table.add_row(title, *(f"{each[key]:.2f}" for each in bins))
    table.add_row("pairs", *(str(each["pairs"]) for each in bins))
    return table


def _counted(report: EvaluationReport) -> str:
    counts = report["counts"]
    return (
        f"{counts['queries']} queries, {counts['pairs']} pairs; {counts['without_gain']} queries without a graded item "
        f"(no NDCG: in no mean), {counts['without_relevant']} without one of grade >= {report['settings']['relevant']}, "
        f"{counts['all_alike']} with one grade only."
    )


def _ties(report: EvaluationReport) -> str:
    tied = [
        f"{system['name']} {system['ties']['mixed']} ({system['ties']['all_items']})"
        for system in report["systems"]
    ]
    return f"Queries with ties between grades (all items tied): {', '.join(tied)}. Rule: {report['settings']['tie_rule']}."
