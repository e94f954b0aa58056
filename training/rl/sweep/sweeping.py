"""A whole sweep: its directory, baselines, all runs in one or several processes, and the results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from schemas.errors import ConfigError
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.rl.sweep.lock import held
from training.rl.sweep.processes import in_processes
from training.rl.sweep.results import RESULTS, collect, write_results
from training.rl.sweep.runs import Sweep
from training.rl.sweep.settings import check_sweep, description


def sweep(
    whole: Sweep, stop: Stop, *, processes: int = 1, threads: int | None = None
) -> dict[str, Any] | None:
    """Do what is not done yet in `whole.out`, and write the results; None if a stop was asked before the end.

    Raises ConfigError for bad input before anything is written, and for a directory of another sweep, naming each
    difference; ModelUnavailable for a ranker that stays away: the same command goes on then.
    """
    check_sweep(whole.config, whole.given)
    said = description(whole.config, whole.given)
    with held(whole.out) as free:
        if not free:
            raise ConfigError(
                f"another sweep works in {whole.out}: wait until it ends, or give another --out"
            )
        directory = RunDirectory(whole.out)
        if not directory.started:
            whole.check_inputs()
        (directory.resume if directory.started else directory.start)(said)
        _use(threads)
        whole.judge_baselines(stop)
        if processes > 1 and len(whole.unfinished()) > 1 and not stop.asked:
            count = min(processes, len(whole.unfinished()))
            in_processes(partial(_work, replace(whole), threads), count, stop)
        whole.do_all(stop, wait=True)
        if stop.asked:
            return None
        results = collect(whole)
        write_results(results, whole.out)
        return results


def results_file(out: Path) -> Path:
    """Where the results of a sweep are."""
    return out / RESULTS


def _work(whole: Sweep, threads: int | None, stop: Stop) -> None:
    """What each of several processes does: every run that no other has."""
    _use(threads)
    whole.do_all(stop, wait=False)


def _use(threads: int | None) -> None:
    if threads:
        torch.set_num_threads(threads)
