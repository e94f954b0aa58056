"""Peak memory of `nearline prune mlp` at some calibration tokens and at eight times as many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.common.report import Row
from benchmarks.pruning.contenders import ROOT
from training.synthetic import lexicon
from training.synthetic.postings import Writer

TOKENS_OF_A_POSTING = 100
"""Tokens that a posting has at least; a file of tokens / 100 postings is thus large enough."""


def rows(ranker: Path, tokens: int, folder: Path, threads: int) -> list[Row]:
    """Peak resident memory and seconds of a whole process, start and reading included."""
    folder.mkdir(parents=True, exist_ok=True)
    postings = folder / "postings.jsonl"
    _write_postings(postings, 8 * tokens // TOKENS_OF_A_POSTING)
    return [_row(ranker, count, postings, folder / f"{count}", threads) for count in (tokens, 8 * tokens)]


def _row(ranker: Path, tokens: int, postings: Path, out: Path, threads: int) -> Row:
    words = ["prune", "mlp", str(ranker), "--out", str(out), "--calibration", str(postings)]
    command = [sys.executable, "-m", "nearline", *words, "--tokens", str(tokens)]
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    used = json.loads((out / "lineage.json").read_text())["steps"][-1]["calibration"]["tokens"]
    return {
        "calibration tokens": used,
        "peak MiB": usage.ru_maxrss / 1024,
        "seconds": time.monotonic() - begun,
    }


def _write_postings(path: Path, count: int) -> None:
    rng, writer = Random(0), Writer(lexicon.load("train"))
    with path.open("w", encoding="utf-8") as file:
        for number, posting in enumerate(islice(iter(lambda: writer.write(rng), None), count)):
            row = {"id": str(number), "title": posting.title, "description": posting.description}
            file.write(json.dumps(row) + "\n")
