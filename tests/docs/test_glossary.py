"""The glossary defines words that the code uses, each in the module that it names."""

import re

from tests.docs.pages import ROOT, code, pages

GLOSSARY = ROOT / "docs/glossary.md"
ROW = re.compile(r"^\| (?!term )([^|`]+?) \| [^|]+ \| `([^`|]+)` \|$", re.MULTILINE)
TERMS: list[tuple[str, str]] = ROW.findall(GLOSSARY.read_text(encoding="utf-8"))


def _pattern(term: str) -> re.Pattern[str]:
    """The term in prose or in a name: `score cache`, `ScoreCache`, `score_cache`."""
    words = re.split(r"[ -]", re.sub(r" \(.*\)$", "", term))
    return re.compile(r"(?<![a-z])" + r"[\s_-]*".join(map(re.escape, words)), re.IGNORECASE)


def test_the_glossary_is_one_table_in_alphabetical_order_without_a_term_twice() -> None:
    rows = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    names = [name for name, _ in TERMS]
    assert len(names) == len(rows) - 1
    assert names == sorted(set(names), key=str.casefold)


def test_each_term_is_used_in_the_module_that_defines_it() -> None:
    absent = [
        f"{term}: {module}"
        for term, module in TERMS
        if not (ROOT / module).is_file()
        or not _pattern(term).search((ROOT / module).read_text(encoding="utf-8"))
    ]
    assert absent == []


def test_each_term_is_used_in_three_files_at_least() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*code(), *pages()) if path != GLOSSARY]
    assert [term for term, _ in TERMS if sum(1 for text in texts if _pattern(term).search(text)) < 3] == []
