"""`nearline agreement` as a user calls it: the order by new summaries beside the order by old ones."""

import json
from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner, Result

from nearline.cli.app import app
from storage.features import FeatureStore, FeatureWrite, RawText
from storage.opening import open_store
from tests.pipeline.builders import feature

WORDS = ("night", "ward", "surgery", "children", "weekend")
TEXTS = [" ".join(WORDS[: n + 1]) for n in range(len(WORDS))]


def write(url: str, summaries: list[str]) -> str:
    """A store in which posting n's text holds the first n + 1 words, beside these summaries."""
    writes = []
    for n, (text, summary) in enumerate(zip(TEXTS, summaries, strict=True)):
        record = feature(posting_id=f"p{n}", title="Job", summary=summary, input_tokens=50, summary_tokens=5)
        raw = RawText(content_version=1, content_hash=record.content_hash, description=text)
        writes.append(FeatureWrite(posting_id=record.posting_id, seen=None, record=record, text=raw))
    with closing(open_store(url)) as kv:
        FeatureStore(kv).merge_many(writes)
    return url


def agreement(folder: Path, candidate: str, before: str, *more: str) -> Result:
    searches = folder / "searches.jsonl"
    searches.write_text(json.dumps({"search_id": "a", "query": " ".join(WORDS)}) + "\n")
    command = ["agreement", candidate, before, "--searches", str(searches), *more]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def test_summaries_that_keep_the_order_of_the_texts_pass_and_those_that_lose_it_fail(tmp_path: Path) -> None:
    kept = write(f"lmdb://{tmp_path}/kept", TEXTS)
    lost = write(f"lmdb://{tmp_path}/lost", ["nothing"] * len(TEXTS))
    better, worse = agreement(tmp_path, kept, lost), agreement(tmp_path, lost, kept)
    found = json.loads(better.stdout)
    assert (better.exit_code, found["passed"], found["tau"], found["tau_before"]) == (0, True, 1.0, 0.0)
    found = json.loads(worse.stdout)
    assert (worse.exit_code, found["passed"], found["tau"], found["tau_before"]) == (1, False, 0.0, 1.0)


def test_summaries_that_are_too_long_fail(tmp_path: Path) -> None:
    kept = write(f"lmdb://{tmp_path}/kept", TEXTS)
    assert agreement(tmp_path, kept, kept).exit_code == 0
    found = agreement(tmp_path, kept, kept, "--most-share", "0.05")
    assert (found.exit_code, json.loads(found.stdout)["share"]) == (1, 0.1)
