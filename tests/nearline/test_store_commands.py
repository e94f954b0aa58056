import json
from contextlib import closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from nearline.cli.store import app
from schemas.keys import feature_key
from storage.opening import open_store
from tests.storage.tools.test_copy import added, closed, put


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
    assert (verified.exit_code, lines(verified)) == (0, [{"differences": 0}])
    with closing(open_store(one)) as kv:
        put(kv, closed(7))
    differing = run("verify", one, other, "--limit", "1")
    assert differing.exit_code == 1
    first, last = lines(differing)
    assert (first["key"], first["field"], first["source"], first["target"]) == ("p", "version", 7, 5)
    assert last == {"differences": 3}


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
