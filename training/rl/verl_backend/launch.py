"""`python -m training.rl.verl_backend.launch RUN [OVERRIDE …]`, in verl's environment: run verl, and end it in time.

verl goes on when rewards fail, on what is left of a batch. This process counts what the reward workers note, ends the
run past the bound, and hands signals on. It needs nothing but Python's standard library.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

POLL_S = 2.0
GRACE_S = 30.0
"""How long verl may take to end before it is killed."""


def command(run: Path, overrides: Sequence[str]) -> list[str]:
    """The entry point of verl with the run's configuration."""
    where = [f"--config-path={run.resolve()}", "--config-name=verl"]
    return [sys.executable, "-m", "verl.trainer.main_ppo", *where, *overrides]


def environment(run: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Where verl's workers find this package, and where its metrics go."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(part for part in (root, given.get("PYTHONPATH", "")) if part)
    return {
        **given,
        "PYTHONPATH": path,
        "VERL_FILE_LOGGER_PATH": str(run.resolve() / f"metrics-{int(time.time())}.jsonl"),
    }


def watched(
    start: Callable[[], subprocess.Popen[bytes]],
    lost: Path,
    most_lost: int,
    *,
    poll_s: float = POLL_S,
    grace_s: float = GRACE_S,
) -> int:
    """Start verl and return its exit status; 1 once more than `most_lost` summaries are noted in `lost`."""
    lost.unlink(missing_ok=True)
    process = start()
    _hand_on(process)
    while True:
        try:
            return process.wait(poll_s)
        except subprocess.TimeoutExpired:
            found = _lines(lost)
        if found > most_lost:
            _end(process, grace_s)
            print(
                f"the ranker gave no score for {found} summaries, more than reward.most_lost x group "
                f"({most_lost}): look at the ranker, then run this command again, which goes on from the last "
                "checkpoint",
                file=sys.stderr,
            )
            return 1


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _hand_on(process: subprocess.Popen[bytes]) -> None:
    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)


def main() -> None:
    """Run what `nearline train rl --backend verl` wrote."""
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "verl.yaml").is_file():
        sys.exit("give the run directory that `nearline train rl --backend verl --out RUN` wrote")
    run = Path(sys.argv[1])
    place = json.loads((run / "reward.json").read_text(encoding="utf-8"))
    argv, env = command(run, sys.argv[2:]), environment(run, os.environ)
    sys.exit(watched(lambda: subprocess.Popen(argv, env=env), Path(place["lost"]), int(place["most_lost"])))


if __name__ == "__main__":
    main()
