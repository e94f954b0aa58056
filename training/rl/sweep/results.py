"""The results of a sweep in one JSON file, beside a page and the plot of the frontier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training.components.run_directory import RunDirectory
from training.evaluation.compression.comparing import Cliff, cliff, compared, mean_over_seeds
from training.evaluation.compression.measured import RAW, Measured
from training.evaluation.compression.page import write_page
from training.evaluation.compression.results import KIND, VERSION, write
from training.evaluation.intervals import STATEMENT, interval_json
from training.evaluation.settings import BootstrapConfig
from training.rl.sweep.grid import Point, Row
from training.rl.sweep.held_out import read_measured
from training.rl.sweep.runs import DONE, START, Sweep

RESULTS = "results.json"
PAGE = "frontier.md"


def collect(whole: Sweep) -> dict[str, Any]:
    """The results of all runs as a JSON document, in which nothing depends on when the sweep was stopped."""
    raw, said = read_measured(whole.raw_file)
    ways = {name: read_measured(file)[0] for name, file in whole.baselines.items()}
    ends = {point: read_measured(whole.directory(point) / DONE) for point in whole.config.grid.points}
    runs = {point: found for point, (found, _) in ends.items() if found}
    rows = _rows(whole.config.grid.rows, runs)
    everything = [
        *raw,
        *(one for found in (*ways.values(), *runs.values(), *rows.values()) for one in found),
    ]
    bootstrap = whole.config.evaluation.bootstrap
    systems = compared(everything, tuple(ways), bootstrap)
    kinds = dict.fromkeys(ways, "baseline") | {RAW: RAW, START: START}
    kinds |= {point.name: "run" for point in runs} | {row.name: "row" for row in rows}
    begun = RunDirectory(whole.out).description()
    return {
        "kind": KIND,
        "version": VERSION,
        "settings": {
            **begun["config"],
            "inputs": begun["inputs"],
            "k": whole.config.evaluation.metrics.k,
            **asdict(bootstrap),
        },
        "statement": STATEMENT,
        "query_ids": said["query_ids"],
        "rankers": list(whole.given.rankers),
        "share": whole.config.run.share,
        "runs": [_run(point, more) for point, (_, more) in ends.items()],
        "rows": [asdict(row) | {"name": row.name, "seeds": _seeds(row, runs)} for row in rows],
        "systems": [{**system, "kind": kinds[system["name"]]} for system in systems],
        "domains": _domains(everything, said["domains"], tuple(ways), bootstrap),
        "cliffs": _cliffs([*rows.values(), ways[START]], bootstrap),
    }


def write_results(results: Mapping[str, Any], out: Path) -> None:
    """Write the file, then its page and plot."""
    write(results, out / RESULTS)
    write_page(results, out / PAGE)


def _rows(rows: Sequence[Row], runs: Mapping[Point, Sequence[Measured]]) -> dict[Row, list[Measured]]:
    """Each row's mean over its seeds at each length by each ranker; rows of which no run has figures are left out."""
    found: dict[Row, list[Measured]] = {}
    for row in rows:
        seeds = [measured for point, measured in runs.items() if point.row == row]
        if seeds:
            found[row] = [mean_over_seeds(row.name, alike) for alike in zip(*seeds, strict=True)]
    return found


def _seeds(row: Row, runs: Mapping[Point, object]) -> list[int]:
    return [point.seed for point in runs if point.row == row]


def _run(point: Point, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": point.name, **asdict(point.row), "seed": point.seed, **more}


def _domains(
    found: Sequence[Measured],
    domains: Mapping[str, Sequence[int]],
    beside: Sequence[str],
    bootstrap: BootstrapConfig,
) -> dict[str, list[dict[str, Any]]]:
    """The systems on each domain's queries alone, without values by query; nothing where there is one domain."""
    if len(domains) < 2:
        return {}
    by_domain: dict[str, list[dict[str, Any]]] = {}
    for name, places in domains.items():
        own = [replace(one, ndcg_Q=one.ndcg_Q[list(places)], kl_Q=one.kl_Q[list(places)]) for one in found]
        rows = compared(own, beside, bootstrap)
        by_domain[name] = [{key: value for key, value in row.items() if key != "per_query"} for row in rows]
    return by_domain


def _cliffs(ways: Sequence[Sequence[Measured]], bootstrap: BootstrapConfig) -> list[dict[str, Any]]:
    """Where NDCG@k falls most steeply with length, for each row and the start, by each ranker."""
    found: list[dict[str, Any]] = []
    for way in ways:
        for ranker in dict.fromkeys(one.ranker for one in way):
            fall = cliff([one for one in way if one.ranker == ranker], bootstrap)
            found.append({"name": way[0].name, "ranker": ranker, "cliff": _cliff(fall)})
    return found


def _cliff(fall: Cliff | None) -> dict[str, Any] | None:
    if fall is None:
        return None
    return {"saved_from": fall.saved_from, "saved_to": fall.saved_to, "change": interval_json(fall.change)}
