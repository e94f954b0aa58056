"""Measure the share of time of each stage of the work, by samples of the thread's stack.

A sample counts for the innermost stage on the stack. Sampling does not slow the code down; cProfile would add its own
time to each of the many small calls.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType

INTERVAL_S = 0.001

#: (end of the file's name, function or "" for any) → stage; the innermost frame decides.
STAGES = {
    ("schemas/codec.py", "decode"): "decode",
    ("schemas/codec.py", "encode"): "encode",
    ("schemas/keys.py", ""): "hash and keys",
    ("schemas/merge.py", ""): "merge",
    ("models/prompts.py", ""): "clean text",
    ("models/summarizer.py", ""): "instant summarizer",
    ("storage/lmdb/environment.py", "read"): "store read",
    ("storage/lmdb/environment.py", "write"): "store write",
    ("streaming/features/messages.py", ""): "messages",
    ("pipeline/terms.py", ""): "match again",
    ("pipeline/match.py", ""): "match again",
    ("pipeline/scoring/cached.py", ""): "score cache",
    ("storage/scores.py", ""): "score cache",
    ("storage/ledger.py", ""): "ledger",
}
OTHER = "the rest"


def stage_of(frame: FrameType | None) -> str:
    """The innermost stage on this stack."""
    while frame is not None:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        for (ending, name), stage in STAGES.items():
            if file.endswith(ending) and name in ("", function):
                return stage
        frame = frame.f_back
    return OTHER


def shares(work: Callable[[], object], interval_s: float = INTERVAL_S) -> dict[str, float]:
    """Run `work` in this thread and return the share of its time that each stage took, largest first."""
    counts: Counter[str] = Counter()
    done = threading.Event()
    worker = threading.get_ident()

    def sample() -> None:
        while not done.is_set():
            counts[stage_of(sys._current_frames().get(worker))] += 1  # noqa: SLF001  (the documented way to look)
            time.sleep(interval_s)

    sampler = threading.Thread(target=sample, daemon=True)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(interval_s / 4)
    sampler.start()
    try:
        work()
    finally:
        done.set()
        sampler.join()
        sys.setswitchinterval(switch_s)
    total = sum(counts.values())
    return {stage: count / total for stage, count in counts.most_common()}
