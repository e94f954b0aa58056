import json
from contextlib import closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from models.summarizer import InstantSummarizer
from nearline.cli.store import app
from pipeline.featurize import Featurizer
from schemas.keys import feature_key
from schemas.records import Op, Posting, PostingUpdate
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.opening import open_store
from tests.storage.tools.test_copy import added, claim, closed, put
from tests.support.orders import push


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_copy_verifies_and_what_changes_afterwards_is_named(tmp_path: Path) -> None:
    one, other = f"lmdb://{tmp_path}/one", f"lmdb://{tmp_path}/other"
    with closing(open_store(one)) as kv:
        put(kv, added(5, "Nurse"))
    copied = run("copy", one, other)
    assert (copied.exit_code, lines(copied)[0]["written"]) == (0, {"features": 1, "texts": 1})
    verified = run("verify", one, other)
    counts = {"rows": {"features": 1, "texts": 1}, "different": {"features": 0, "texts": 0}}
    assert (verified.exit_code, lines(verified)) == (0, [{**counts, "differences": 0}])
    with closing(open_store(one)) as kv:
        put(kv, closed(7))
    differing = run("verify", one, other, "--limit", "1")
    assert differing.exit_code == 1
    first, last = lines(differing)
    assert (first["key"], first["field"], first["left"], first["right"]) == ("p", "version", 7, 5)
    assert (last["different"], last["differences"]) == ({"features": 1, "texts": 0}, 4)


def one_posting(folder: Path, title: str, model: str = "instant@1") -> str:
    """The URL of a new store with one posting of this title."""
    url = f"lmdb://{folder}/{title}-{model}"
    posting = Posting(title=title, description="Nights on a ward.")
    with closing(open_store(url)) as kv:
        event = PostingUpdate(posting_id="p1", version=1, op=Op.ADD, posting=posting)
        push(Featurizer(FeatureStore(kv), InstantSummarizer(model)), [event], 1)
    return url


def test_get_shows_the_text_beside_the_summary_with_what_it_repeats_marked(tmp_path: Path) -> None:
    shown = json.loads(run("get", one_posting(tmp_path, "Nurse"), "p1").stdout)
    assert (shown["summary"], shown["description"]) == ("Nights on a ward.", "Nights on a ward.")
    assert shown["marked"] == "⟦Nights on a ward.⟧"


def test_verify_names_each_field_that_differs_and_ends_with_status_one(tmp_path: Path) -> None:
    made = run("verify", one_posting(tmp_path, "Nurse"), one_posting(tmp_path, "Matron"))
    assert made.exit_code == 1
    *found, last = lines(made)
    features = {row["field"]: (row["left"], row["right"]) for row in found if row["kind"] == "features"}
    assert set(features) == {"content_hash", "title", "input_hash", "summary_hash"}
    assert features["title"] == ("Nurse", "Matron")
    assert [row["field"] for row in found if row["kind"] == "texts"] == ["content_hash"]
    assert last["differences"] == 5


def test_verify_of_equal_stores_ends_well(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made = run("verify", one_posting(tmp_path, "Nurse"), one_posting(tmp_path / "other", "Nurse"))
    assert (made.exit_code, lines(made)[0]["rows"]) == (0, {"features": 1, "texts": 1})


def test_verify_lets_summaries_and_what_a_stream_writes_differ_when_it_is_told_to(tmp_path: Path) -> None:
    old, new = one_posting(tmp_path, "Nurse"), one_posting(tmp_path, "Nurse", "instant@2")
    assert run("verify", old, new).exit_code == 1
    assert run("verify", old, new, "--except-summaries").exit_code == 0
    with closing(open_store(new)) as kv:
        put(kv, added(5, "Chef", "later"))
        AlertLedger(kv).settle_many([claim(offset=1)])
    assert run("verify", old, new, "--except-summaries", "--postings-only").exit_code == 1
    assert run("verify", old, new, "--except-summaries", "--newer-right").exit_code == 0


def test_a_row_that_cannot_be_copied_is_a_failure_of_the_command(tmp_path: Path) -> None:
    one, other = f"lmdb://{tmp_path}/one", f"lmdb://{tmp_path}/other"
    with closing(open_store(one)) as kv:
        kv.put_many([(feature_key("broken"), b"?")])
    copied = run("copy", one, other)
    assert (copied.exit_code, lines(copied)[0]["failed"]) == (1, 1)


def test_stats_counts_states_and_every_kind_of_row(tmp_path: Path) -> None:
    url = f"lmdb://{tmp_path}/one"
    with closing(open_store(url)) as kv:
        put(kv, added(5, "Nurse"))
    counts = lines(run("stats", url))[0]
    assert (counts["features"], counts["open"], counts["texts"], counts["quotas"]) == (1, 1, 1, 0)
