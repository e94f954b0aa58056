"""docs/configuration.md is what the code makes of it, and lacks nothing that a program reads."""

import re
from pathlib import Path

import pytest

from benchmarks.configuration_page import sections
from nearline.configuration.page import page
from nearline.configuration.tables import Section
from tests.docs.pages import ROOT, code
from tests.docs.variables import read_by_the_code, reads

PAGE = (ROOT / "docs/configuration.md").read_text()
#: Programs that are started by other programs of ours only, with arguments of their own.
CHILDREN = {
    "benchmarks/backfill/run.py",
    "benchmarks/engine/workers",
    "benchmarks/feature_job/peers/__main__.py",
    "benchmarks/percolation/workers",
    "benchmarks/pruning/workers",
    "nearline/stack/daemon.py",
}
#: Programs that take no arguments.
PRINTERS = {
    "benchmarks/configuration_page.py",
    "benchmarks/simulator/sensitivity.py",
    "benchmarks/summary.py",
    "models/server/description.py",
    "streaming/searching/description.py",
    "training/rules/understanding.py",
}


def starting() -> list[str]:
    """Modules that can be started, from the repository's root."""
    paths = [path for path in code() if '__name__ == "__main__"' in path.read_text()]
    return [str(path.relative_to(ROOT)) for path in paths]


def shown(module: str) -> bool:
    """Whether the page has a heading that names a module's path or how it is started."""
    name = module.removesuffix("/__main__.py").removesuffix(".py").replace("/", ".")
    ways = (module, f"`python -m {name}", f"-pym {name}`", f"`{name}`")
    headings = "\n".join(re.findall(r"^##+ .*$", PAGE, re.MULTILINE))
    return any(way in headings for way in ways)


def test_the_page_is_up_to_date() -> None:
    assert page(sections()) == PAGE, "docs/configuration.md is out of date: run make config-page"


def test_a_page_that_lacks_an_option_is_another_page() -> None:
    shorter = [one._replace(entries=one.entries[1:]) for one in sections()]
    assert page(shorter) != PAGE


def test_every_environment_variable_that_the_code_reads_is_on_the_page() -> None:
    assert len(read_by_the_code()) > 20
    assert [name for name in sorted(read_by_the_code()) if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('os.environ.get("NEW_ONE")', {"NEW_ONE"}),
        ('os.environ["NEW_ONE"]', {"NEW_ONE"}),
        ('os.environ["NEW_ONE"] = "1"', set()),
        ('os.getenv("NEW_ONE", "1")', {"NEW_ONE"}),
        ('environment.get("NEW_ONE", "1")', {"NEW_ONE"}),
        ('AUTH = "NEARLINE_NEW_ONE"', {"NEARLINE_NEW_ONE"}),
        ('PREFIX = "NEARLINE_NEW_"', set()),
    ],
)
def test_reading_a_variable_is_found(text: str, found: set[str]) -> None:
    assert reads(text) == found


def test_every_program_that_can_be_started_is_on_the_page() -> None:
    known = [*CHILDREN, *PRINTERS]
    found = [module for module in starting() if not module.startswith(tuple(known))]
    assert "models/server/__main__.py" in found
    assert [module for module in found if not shown(module)] == []


def test_a_program_that_is_not_on_the_page_is_found() -> None:
    assert not shown("streaming/no_such.py")
    assert shown("streaming/matcher.py")


def test_only_the_readers_of_settings_classes_add_arguments() -> None:
    adding = {str(path.relative_to(ROOT)) for path in code() if "add_argument(" in path.read_text()}
    assert adding - {"schemas/arguments.py"} <= CHILDREN


def test_every_option_has_a_meaning() -> None:
    assert [
        f"{one.title} {entry.name}" for one in sections() for entry in one.entries if not entry.meaning
    ] == []


def test_no_path_of_a_machine_is_on_the_page() -> None:
    assert str(Path.home()) not in PAGE
    assert str(ROOT) not in PAGE


def test_a_cell_holds_its_own_bar() -> None:
    from nearline.configuration.tables import Entry, lines

    text = list(lines(Section(2, "t", "", (Entry("`--a`", "text", "–", "x|y"),))))[-1]
    assert text == "| `--a` | text | – | x\\|y |"
