"""The pages for users and operators: the index is whole, ports and messages are those of the code."""

import re
from pathlib import Path

import pytest

from nearline.stack.settings import StackSettings
from streaming.kafka.settings import KafkaSettings
from tests.docker.manifests import services

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SECURITY = (DOCS / "security.md").read_text()
TROUBLES = (DOCS / "troubleshooting.md").read_text()
#: Where messages of a first run come from.
PRINTING = [
    ROOT / "Makefile",
    ROOT / "docker" / "images.sh",
    *(
        path
        for name in ("nearline", "models", "streaming", "batch", "pipeline", "storage")
        for path in (ROOT / name).rglob("*.py")
    ),
]


def messages(page: str) -> list[str]:
    """The messages that a page explains: what stands between backticks in its smallest headings."""
    return [
        text
        for heading in re.findall(r"^### (.*)$", page, re.MULTILINE)
        for text in re.findall(r"`([^`]+)`", heading)
    ]


def unprinted(found: list[str]) -> list[str]:
    """Those that no code prints."""
    sources = [path.read_text() for path in PRINTING]
    return [message for message in found if not any(message in source for source in sources)]


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", (DOCS / "README.md").read_text()))
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert pages - linked == set()
    assert {"openapi.json", "adr/README.md", "benchmarks/README.md"} <= linked


def test_the_readme_leads_to_the_index() -> None:
    assert "](docs/README.md)" in (ROOT / "README.md").read_text()


def test_every_message_that_the_first_runs_page_explains_is_printed_by_the_code() -> None:
    found = messages(TROUBLES)
    assert len(found) > 10
    assert unprinted(found) == []


def test_a_message_that_no_code_prints_is_found() -> None:
    assert unprinted(["ports in use", "ports are in use somewhere"]) == ["ports are in use somewhere"]


def test_the_security_page_shows_every_port_of_the_local_stack() -> None:
    shown = {int(port) for port in re.findall(r"^\| (29\d{3}) \|", SECURITY, re.MULTILINE)}
    assert shown == set(StackSettings().ports.values())


def test_the_security_page_shows_every_port_that_compose_publishes_and_all_are_on_loopback() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    section = SECURITY.partition("### Compose\n")[2].partition("\n### ")[0]
    assert [port for port in published if port.split(":")[1].replace("-", "–") not in section] == []


def measured(page: str) -> list[tuple[str, str]]:
    """Each figure of a table whose last cell says from which benchmark it is, and that benchmark's page."""
    found, source = [], ""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        named = re.match(r"\[[\w-]+\]\((benchmarks/[\w-]+\.md)\)", cells[-1])
        source = named[1] if named else source if cells[-1].startswith("the same") else ""
        if source:
            found += [
                (figure, source)
                for figure in re.findall(r"\d[\d,]*\.?\d*", " ".join(cells[1:-1]))
                if len(figure) > 2
            ]
    return found


def test_the_sizing_pages_figures_stand_on_the_pages_of_the_benchmarks_that_it_names() -> None:
    found = measured((DOCS / "sizing.md").read_text())
    assert len(found) > 20
    assert [(figure, page) for figure, page in found if figure not in (DOCS / page).read_text()] == []


@pytest.mark.parametrize("page", ["security.md", "runbook.md", "troubleshooting.md"])
def test_kafkas_variables_on_a_page_exist(page: str) -> None:
    known = {f"NEARLINE_KAFKA_{name.upper()}" for name in KafkaSettings.__dataclass_fields__}
    named = set(re.findall(r"NEARLINE_KAFKA_[A-Z_]*[A-Z]", (DOCS / page).read_text()))
    assert named <= known
