"""`nearline train sft` on small inputs, as a process."""

import subprocess
import sys
from pathlib import Path

from training.sft.run import Inputs

SETTINGS = ("batch_tokens=1024", "best_dtype=float32", "evaluate_every_steps=1000", "patience=1000")
HUNG_S = 300


def command(given: Inputs, out: Path, *more: str) -> list[str]:
    paths = {"judged": given.judged, "postings": given.postings, "model": given.model, "out": out}
    named = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    set_ = [part for setting in SETTINGS for part in ("--set", setting)]
    # The interpreter by its name: the tests do not ask that the package is installed.
    return [
        sys.executable,
        "-m",
        "nearline",
        "train",
        "sft",
        *named,
        *set_,
        "--threads",
        "1",
        "--device",
        "cpu",
        *more,
    ]


def run(arguments: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=HUNG_S, check=False, **more)  # type: ignore[call-overload, no-any-return]
