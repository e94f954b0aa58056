"""The offline refresh as a Flyte workflow: sample → agreement → backfill → verify → promote.

    pyflyte run nearline/refresh_workflow.py refresh --catalog C.jsonl.gz --live lmdb:///live --work /tmp/refresh \
        --summarizer http://127.0.0.1:8900 [--embedder http://127.0.0.1:8900]

Each task runs one `nearline` command, so that a scheduler does what a person would type. A task that fails ends the run
with the command's output; a new run continues an unfinished backfill. On a cluster the tasks run in the image of
`docker/spark.Dockerfile` (`pyflyte run --remote --image nearline-spark ...`), with stores and folders that every pod
reaches.
"""

import subprocess
import sys

from flytekit import task, workflow

#: How often Flyte starts a task again whose pod was lost; a backfill then continues.
RETRIES = 3


def _nearline(*arguments: str) -> str:
    """Run a command and return its standard output; RuntimeError with its output and status when it fails."""
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
    """Summarize a part of the catalog anew, into a store of its own."""
    store = f"lmdb://{work}/sample/store"
    _backfill(catalog, store, f"{work}/sample", summarizer, "--sample", str(part))
    return store


@task
def agreement(sample_store: str, live: str, searches: str, ranker: str) -> str:
    """End the run when the ranker agrees less with the new summaries than with those that are live."""
    more = ("--searches", searches) if searches else ()
    return _nearline("agreement", sample_store, live, "--ranker", ranker, *more)


@task(retries=RETRIES)
def backfill(catalog: str, live: str, work: str, summarizer: str, embedder: str, verdict: str) -> str:
    """Copy the live store and make its stale summaries anew, for the whole catalog; with an embedder also vectors."""
    del verdict  # an input only so that this task runs after `agreement` has passed
    candidate = f"lmdb://{work}/candidate/store"
    _nearline("store", "copy", live, candidate)
    vectors = ("--embedder", embedder) if embedder else ()
    _backfill(catalog, candidate, f"{work}/candidate", summarizer, "--mode", "stale", *vectors)
    return candidate


@task
def verify(candidate: str, live: str) -> str:
    """End the run when candidate and live store differ in anything but summaries and vectors."""
    _nearline("store", "verify", candidate, live, "--except-summaries", "--newer-right")
    return candidate


@task(retries=RETRIES)
def promote(candidate: str, live: str) -> str:
    """Copy the new summaries into the live store; records that the stream wrote meanwhile are newer and stay."""
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
    embedder: str = "",
) -> str:
    """Summarize every posting anew, promoting the result only when both checks have passed (docs/operations.md)."""
    sampled = sample(catalog=catalog, work=work, summarizer=summarizer, part=part)
    verdict = agreement(sample_store=sampled, live=live, searches=searches, ranker=ranker)
    candidate = backfill(
        catalog=catalog, live=live, work=work, summarizer=summarizer, embedder=embedder, verdict=verdict
    )
    promoted: str = promote(candidate=verify(candidate=candidate, live=live), live=live)
    return promoted
