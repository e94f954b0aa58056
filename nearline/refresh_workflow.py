"""The offline refresh as a Flyte workflow: sample → judge → backfill → parity → promote.

    pyflyte run nearline/refresh_workflow.py refresh --catalog C.jsonl.gz --live lmdb:///live --work /tmp/refresh \
        --summarizer http://127.0.0.1:8900

Each task is one `nearline` command, so that what a person types and what a scheduler runs are the same; a task that
fails ends the run with the command's own words, and a new run goes on where a backfill stopped. On a cluster the
tasks run in the image of `docker/spark.Dockerfile` (`pyflyte run --remote --image nearline-spark ...`), with stores
and folders that every pod reaches.
"""

import subprocess
import sys

from flytekit import task, workflow

#: Scheduled runs of the same refresh: a pod that is lost is started again, and the backfill goes on.
RETRIES = 3


def _nearline(*arguments: str) -> str:
    """A command's standard output; its words and status when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "nearline", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}".strip()
        raise RuntimeError(f"nearline {arguments[0]} ended with {done.returncode}:\n{said}")
    return done.stdout


def _backfill(catalog: str, store: str, work: str, summarizer: str, *more: str) -> None:
    places = ("--store", store, "--state", f"{work}/state", "--report", f"{work}/report.json")
    _nearline("backfill", catalog, *places, "--summarizer", summarizer, *more)


@task(retries=RETRIES)
def sample(catalog: str, work: str, summarizer: str, part: float) -> str:
    """The new summaries of a part of the catalog, in a store of their own."""
    store = f"lmdb://{work}/sample/store"
    _backfill(catalog, store, f"{work}/sample", summarizer, "--sample", str(part))
    return store


@task
def judge(sample_store: str, live: str, searches: str, ranker: str) -> str:
    """Ends the run when the new summaries serve the ranker worse than those that are live."""
    more = ("--searches", searches) if searches else ()
    return _nearline("judge", sample_store, live, "--ranker", ranker, *more)


@task(retries=RETRIES)
def backfill(catalog: str, live: str, work: str, summarizer: str, verdict: str) -> str:
    """The whole catalog beside the live store: a copy of it, whose stale summaries are made anew."""
    del verdict  # what decides whether this task is reached
    candidate = f"lmdb://{work}/candidate/store"
    _nearline("store", "copy", live, candidate)
    _backfill(catalog, candidate, f"{work}/candidate", summarizer, "--mode", "stale")
    return candidate


@task
def parity(candidate: str, live: str) -> str:
    """Ends the run when candidate and live store differ in anything but summaries."""
    _nearline("parity", candidate, live, "--except-summaries", "--newer-right")
    return candidate


@task(retries=RETRIES)
def promote(candidate: str, live: str) -> str:
    """The new summaries into the live store: newest wins, so what streamed in meanwhile stays."""
    return _nearline("store", "copy", candidate, live)


@workflow
def refresh(
    catalog: str,
    live: str,
    work: str,
    summarizer: str = "instant:2",
    ranker: str = "instant:",
    searches: str = "",
    part: float = 0.05,
) -> str:
    """What `docs/operations.md` calls re-summarizing everything, judged first and promoted last."""
    sampled = sample(catalog=catalog, work=work, summarizer=summarizer, part=part)
    verdict = judge(sample_store=sampled, live=live, searches=searches, ranker=ranker)
    candidate = backfill(catalog=catalog, live=live, work=work, summarizer=summarizer, verdict=verdict)
    promoted: str = promote(candidate=parity(candidate=candidate, live=live), live=live)
    return promoted
