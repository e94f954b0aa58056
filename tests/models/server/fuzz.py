"""`python -m tests.models.server.fuzz`: Schemathesis against a model server's own description; run by `make fuzz`.

Not every body that the description allows is accepted: it cannot say which ids go with which items.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.models.running import SCORE, post, process

HERE = Path(__file__).parent
RANKER = HERE.parents[1] / "models" / "checkpoints" / "ranker-tiny"


def main() -> None:
    """Exit with Schemathesis's status, or 1 if the server answers a good request otherwise than before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--st", required=True, help="path of Schemathesis's command")
    parser.add_argument("--examples", default=2_000, type=int, help="for each route (%(default)s)")
    parser.add_argument("--seed", default=1, type=int, help="(%(default)s)")
    given = parser.parse_args()
    with (
        process("--ranker", str(RANKER), "--instant", "--threads", "1") as (server, url),
        tempfile.TemporaryDirectory() as scratch,
    ):
        before = post(url, "score", SCORE).json()
        done = subprocess.run(
            [
                *(str(Path(given.st).absolute()), "--config-file", str(HERE / "schemathesis.toml")),
                *("run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure"),
                *("--exclude-checks", "positive_data_acceptance"),
                *("--max-examples", str(given.examples), "--seed", str(given.seed)),
                *("--generation-database", "none"),
            ],
            check=False,
            cwd=scratch,
        )
        answers = _answers(url)
        alike = post(url, "score", SCORE).json() == before and server.poll() is None
    print(f"seed {given.seed}: {sum(answers.values()):.0f} inputs answered on the two routes:", answers)
    print("the server lives and scores as before" if alike else "the server does not score as before")
    sys.exit(done.returncode or not alike)


def _answers(url: str) -> dict[str, float]:
    """How many requests got each status."""
    answers: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
        for sample in family.samples:
            if sample.name == "nearline_model_requests_total":
                status = sample.labels["status"]
                answers[status] = answers.get(status, 0.0) + sample.value
    return answers


if __name__ == "__main__":
    main()
