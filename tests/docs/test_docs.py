"""The docs and the code name the same commands, topics and files."""

import re
from pathlib import Path

import typer.main

from models.server import Limits
from nearline.cli.app import app
from schemas.records import Outcome
from streaming.kafka.topics import DAY_MS, FOREVER_MS, KIB, MIB, TABLE, Topic
from tests.docs.pages import CITING, ROOT, pages

SEMANTICS = (ROOT / "docs/semantics.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()


def _commands() -> set[str]:
    group = typer.main.get_command(app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        # `backfill CATALOG` is its hidden `backfill run`
        children = {"" if each.hidden else f" {child}" for child, each in inner.items()} if inner else {""}
        found |= {f"{name}{child}" for child in children}
    return found


def _row(topic: Topic) -> str:
    days = topic.retention_ms // DAY_MS
    kept = "for ever" if topic.retention_ms == FOREVER_MS else f"{days} day" + "s" * (days > 1)
    return f"| `{topic.name}` | {topic.key} | {topic.partitions} | {topic.cleanup} | {kept} | {topic.max_bytes // KIB} KiB |"


def test_the_command_page_names_every_command_and_no_other() -> None:
    named = re.findall(
        r"^\| `nearline ([a-z]+(?: [a-z-]+)?)",
        COMMANDS,
        re.MULTILINE,
    )
    assert set(named) == _commands()


def test_the_semantics_page_shows_the_table_of_topics_as_the_code_has_it() -> None:
    section = SEMANTICS.partition("## Topics\n")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if re.match(r"\| `[a-z.]+` \|", line)] == [
        _row(t) for t in TABLE
    ]


def test_the_semantics_page_names_every_outcome() -> None:
    assert all(f"`{outcome}`" in SEMANTICS for outcome in Outcome)


def test_the_model_server_page_shows_the_limits_as_the_code_has_them() -> None:
    page, limits = (ROOT / "docs/model-server.md").read_text(), Limits()
    shown = re.search(r"\| limit \| of one request \| option \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", page)
    assert shown is not None
    assert [row.split("|")[2].strip() for row in shown[1].splitlines()] == [
        f"{limits.body_bytes // MIB} MiB",
        f"{limits.items}",
        f"{limits.request_tokens}",
        f"{limits.labels}",
        f"{limits.deadline_s:g}",
    ]


def _absent(page: Path, text: str) -> list[str]:
    """Files and folders that a page names between backticks, from the repository's root or its own folder."""
    named = re.findall(rf"`((?:{'|'.join(CITING)})/[\w./-]*)`", text)
    return [name for name in named if not any((place / name).exists() for place in (ROOT, page.parent))]


def test_every_file_and_folder_that_a_page_names_exists() -> None:
    assert [f"{page}: {name}" for page in pages() for name in _absent(page, page.read_text())] == []


def test_a_folder_that_does_not_exist_is_found() -> None:
    text = "`storage/lmdb/` `docker/k8s` `docs/adr/` `benchmarks/no-such/` `nearline/no_such.py`"
    assert _absent(ROOT / "README.md", text) == ["benchmarks/no-such/", "nearline/no_such.py"]


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.name} → {link}"
        for page in pages()
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
