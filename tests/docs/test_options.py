"""Options and environment variables that pages name exist; options in a command line exist in that program."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.command_lines import misplaced, strangers
from tests.docs.pages import ROOT, pages
from tests.docs.variables import absent


def offenders(check: Callable[[str], Iterator[str] | list[str]]) -> list[str]:
    """What a check finds on the pages, with the page."""
    return [f"{page.relative_to(ROOT)}: {one}" for page in pages() for one in check(page.read_text())]


def test_the_pages_of_all_folders_are_read() -> None:
    read = {str(page.relative_to(ROOT)) for page in pages()}
    cards = {
        str(Path("models/checkpoints", name, "README.md")) for name in ("ranker-tiny", "summarizer-tiny")
    }
    assert {"README.md", "schemas/README.md", "nearline/sample/README.md", *cards} <= read
    assert {"CHANGELOG.md", "docs/benchmarks/README.md", "docs/adr/README.md"} <= read


def test_every_option_that_a_page_names_exists() -> None:
    assert offenders(strangers) == []


def test_every_option_in_a_command_line_of_a_page_is_one_of_its_command() -> None:
    assert offenders(misplaced) == []


def test_every_environment_variable_that_a_page_names_is_read_by_the_code() -> None:
    assert offenders(absent) == []


def test_an_option_that_no_command_has_is_found() -> None:
    text = "`--store` and --no-such-option, --max-… and `--max-*` and a—dash --- and -- and model-server--x"
    assert strangers(text) == ["--no-such-option"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`nearline serve --max-bodies-bytes 1`", []),
        ("`nearline serve --judged FILE`", ["nearline serve --judged"]),
        ("nearline prune mlp DIR \\\n  --out small --port 1", ["nearline prune mlp --port"]),
        ("`nearline up` and `--judged`", []),
        ("`python -m streaming.matcher --store URL --ranker URL`", ["python -m streaming.matcher --ranker"]),
        ("`python -m benchmarks stores --rounds 3 --queries 4`", ["python -m benchmarks stores --queries"]),
        ("nearline backfill submit c.jsonl --master yarn | tee --append", []),
    ],
)
def test_an_option_of_another_command_is_found(text: str, found: list[str]) -> None:
    assert list(misplaced(text)) == found


def test_a_variable_that_nothing_reads_is_found() -> None:
    text = "NEARLINE_KAFKA_SSL_CAFILE, `NEARLINE_KAFKA_*`, NEARLINE_NO_SUCH, COUCHBASE_NOTHING and JAVA_HOME"
    assert absent(text) == ["NEARLINE_NO_SUCH", "COUCHBASE_NOTHING"]
