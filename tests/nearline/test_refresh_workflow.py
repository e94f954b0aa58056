"""The offline refresh by `pyflyte run`, as a user starts it (`make test-flyte`)."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("flytekit", reason="Flyte has an environment of its own: make test-flyte")

from models.summarizer import InstantSummarizer
from nearline.stack.tools import java_home
from pipeline.featurize import Featurizer
from schemas.records import FeatureRecord
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch.catalogs import postings, stored, write
from tests.support.orders import push, updates

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]


def long_postings(count: int) -> list[dict[str, object]]:
    """So long that a summary is short beside them."""
    return [{**row, "description": 12 * (row["description"] + " ")} for row in postings(count)]


def live_store(tmp_path: Path, catalog: Path) -> str:
    """What a stream made of the catalog, and one posting that the catalog does not have in its newest state."""
    url = f"lmdb://{tmp_path}/live"
    newer = write(
        tmp_path / "n.jsonl", [{**long_postings(1)[0], "title": "Newer", "updated_at": "2025-01-01"}]
    )
    with closing(open_store(url)) as kv:
        featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
        push(featurizer, updates(catalog), 50)
        push(featurizer, updates(newer), 50)
    return url


def refresh(tmp_path: Path, catalog: Path, live: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(str(Path(sys.executable).parent / "pyflyte"), "run", "nearline/refresh_workflow.py", "refresh"),
        *(
            "--catalog",
            str(catalog),
            "--live",
            live,
            "--work",
            str(tmp_path / "work"),
            "--part",
            "0.5",
            *more,
        ),
    ]
    env = {**os.environ, "JAVA_HOME": str(java_home()), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_every_summary_is_of_the_new_generation_and_nothing_else_has_changed(tmp_path: Path) -> None:
    catalog = write(tmp_path / "c.jsonl", long_postings(40))
    live = live_store(tmp_path, catalog)
    before = stored(live)
    done = refresh(tmp_path, catalog, live, "--summarizer", "instant:2")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    after = stored(live)
    assert {record.generation for record in after.values()} == {2}
    assert {i: as_generation_1(record) for i, record in after.items()} == before


def test_summaries_that_serve_the_ranker_worse_are_not_promoted(tmp_path: Path) -> None:
    catalog = write(tmp_path / "c.jsonl", long_postings(40))
    live = live_store(tmp_path, catalog)
    before = stored(live)
    strict = tmp_path / "searches.jsonl"
    strict.write_text('{"search_id": "a", "query": ""}\n')
    done = refresh(tmp_path, catalog, live, "--searches", str(strict))
    assert done.returncode != 0
    assert "nothing to judge" in done.stdout + done.stderr
    assert stored(live) == before


def as_generation_1(record: FeatureRecord) -> FeatureRecord:
    from dataclasses import replace

    return replace(record, generation=1, model="instant@1")
