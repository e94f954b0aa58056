"""Whatever a docstring, a comment or a page cites exists: pages, equations, tables, decision records, files, names."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import CITING, CODE, FENCE, ROOT, anchors, citing, code, pages, prose

PAGE = re.compile(r"(?<![\w/.])docs/[\w./-]+?\.md(?:#[\w-]+)?")
SOME = r"\(?\d\)?(?:(?:, | and |–| to )\(?\d\)?)*"
EQUATION = re.compile(rf"\bequations? ({SOME})", re.IGNORECASE)
TABLE = re.compile(rf"\bpaper's tables? ({SOME})|\btables? ({SOME}) of the paper", re.IGNORECASE)
RECORD = re.compile(r"\bADRs? (\d+)")
#: Names of pages that nobody can open: a citation is a path, an equation, a table or the number of a record.
VAGUE = re.compile(
    r"\b(?:semantics|facts|spec|specification) page\b|\bpage, ['\"]|\bpage \d+'s\b|\bpaper,? (?:section\b|§)"
    r"|\bsection \d[\d.]* of the paper|\b(?:the|see) decision record\b",
    re.IGNORECASE,
)
FILE = re.compile(
    rf"(?<![\w/.-])(?:{'|'.join(CITING)})/[\w/-]+(?:\.\w+)*?\.(?:py|md|toml|avsc|java|yaml|cpp|jsonl?)\b"
)
NAME = re.compile(rf"`((?:{'|'.join(CODE)})(?:\.\w+)+)")
COMMAND = re.compile(rf"\bpython3? -m ((?:{'|'.join(CODE)})(?:\.\w+)*)")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([\w-]+))?\)")


def _headings(kind: str) -> set[str]:
    page = (ROOT / "docs/paper.md").read_text()
    return set(re.findall(rf"^### {kind} \(?(\d)\)?:", page, re.MULTILINE))


def _numbers(text: str) -> set[str]:
    """The numbers of `(1) and (3)`; of a range, `1–3` or `1 to 3`, those in between too."""
    numbers = [int(number) for number in re.findall(r"\d", text)]
    if re.search(r"–| to ", text) and len(numbers) == 2:
        numbers = list(range(numbers[0], numbers[1] + 1))
    return {str(number) for number in numbers}


def _absent_pages(text: str) -> Iterator[str]:
    for cited in PAGE.findall(text):
        name, _, anchor = cited.partition("#")
        if not (ROOT / name).is_file() or (anchor and anchor not in anchors(ROOT / name)):
            yield cited


def _absent_equations(text: str) -> Iterator[str]:
    known = _headings("Equation")
    yield from (cited for cited in EQUATION.findall(text) if not _numbers(cited) <= known)


def _absent_tables(text: str) -> Iterator[str]:
    known = _headings("Table")
    yield from (cited for a, b in TABLE.findall(text) if not _numbers(cited := a or b) <= known)


def _absent_records(text: str) -> Iterator[str]:
    yield from (n for n in RECORD.findall(text) if not list(ROOT.glob(f"docs/adr/{int(n):04}-*.md")))


def _vague(text: str) -> Iterator[str]:
    yield from VAGUE.findall(text)


CHECKS: dict[str, tuple[Callable[[str], Iterator[str]], tuple[str, ...]]] = {
    "page": (_absent_pages, ("docs/no-such.md", "see docs/semantics.md#no-such-heading.")),
    "equation": (_absent_equations, ("Equation (9)", "equations (1)–(8)", "equation 0")),
    "table": (
        _absent_tables,
        ("the paper's table 0", "the paper's tables 1, 2 and 0", "table 0 of the paper"),
    ),
    "record": (_absent_records, ("(ADR 9999)",)),
    "vague": (
        _vague,
        ("(semantics page, 'Alerts')", "the facts page", "page 4's", "see the decision record on it"),
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_cited_exists_and_can_be_opened(name: str) -> None:
    check, _ = CHECKS[name]
    assert _offenders(citing(), lambda path: check(prose(path))) == []


@pytest.mark.parametrize(("name", "text"), [(n, text) for n, (_, texts) in CHECKS.items() for text in texts])
def test_a_citation_of_what_does_not_exist_is_found(name: str, text: str) -> None:
    check, _ = CHECKS[name]
    assert list(check(text)) != []


def test_good_citations_are_left_alone() -> None:
    good = "docs/semantics.md#alerts, equations (1) and (3), equation (1)–(7), the paper's tables 1, 2 and 3, ADR 7"
    assert [found for check, _ in CHECKS.values() for found in check(good)] == []


def test_the_paper_page_has_a_heading_for_each_equation_and_table() -> None:
    assert _headings("Equation") == set("1234567")
    assert _headings("Table") == set("123456789")


def test_every_file_that_is_named_exists() -> None:
    assert _offenders(citing(), lambda path: _absent_files(path, prose(path))) == []


def test_a_file_that_does_not_exist_is_found() -> None:
    assert list(_absent_files(ROOT / "README.md", "storage/base.py streaming/no_such.py")) == [
        "streaming/no_such.py"
    ]


def _absent_files(citing_file: Path, text: str) -> Iterator[str]:
    """A page may name a file by its way from the page."""
    places = (ROOT, citing_file.parent)
    yield from (name for name in FILE.findall(text) if not any((place / name).exists() for place in places))


def test_every_name_in_a_module_that_the_code_cites_is_there() -> None:
    assert _offenders(code(), lambda path: _absent_names(prose(path))) == []


def test_a_name_that_a_module_lacks_is_found() -> None:
    assert list(_absent_names("`schemas.keys.day_of` `schemas.keys.no_such`")) == ["schemas.keys.no_such"]


def _absent_names(text: str) -> Iterator[str]:
    yield from (name for name in NAME.findall(text) if not _is_there(name.split(".")))


def _is_there(parts: list[str]) -> bool:
    """Whether the longest part of a dotted name that is a module or package is written with the rest in it."""
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        for module in (place.with_suffix(".py"), place / "__init__.py"):
            if module.is_file():
                return end == len(parts) or re.search(rf"\b{parts[end]}\b", module.read_text()) is not None
    return False


def test_every_module_that_somebody_is_told_to_start_can_be_started() -> None:
    assert _offenders(citing(), lambda path: _absent_commands(prose(path))) == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert list(_absent_commands("python -m streaming.matcher, python -m training.rules")) == [
        "training.rules"
    ]


def _absent_commands(text: str) -> Iterator[str]:
    for name in COMMAND.findall(text):
        place = ROOT.joinpath(*name.split("."))
        module = place.with_suffix(".py")
        started = module.is_file() and '__name__ == "__main__"' in module.read_text()
        if not started and not (place / "__main__.py").is_file():
            yield name


def test_every_link_of_a_page_leads_to_a_file_and_a_heading() -> None:
    assert _offenders(pages(), lambda page: _broken_links(page, page.read_text())) == []


def test_a_link_to_a_missing_file_or_heading_is_found() -> None:
    page = ROOT / "docs/semantics.md"
    assert (
        list(_broken_links(page, "[a](#alerts) [b](paper.md#equation-1-the-prompt) [c](../README.md)")) == []
    )
    assert list(_broken_links(page, "[a](#no) [b](paper.md#no) [c](no.md)")) == [
        "#no",
        "paper.md#no",
        "no.md",
    ]


def _broken_links(page: Path, text: str) -> Iterator[str]:
    for name, anchor in LINK.findall(FENCE.sub("", text)):
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{name}#{anchor}" if anchor else name


def _offenders(files: Iterable[Path], check: Callable[[Path], Iterator[str]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {found}" for path in files for found in check(path)]
