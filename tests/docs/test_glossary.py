"""The glossary defines words that the code uses, each in the module that it names."""

import re
from itertools import islice

from tests.docs.pages import ROOT, code, pages

GLOSSARY = ROOT / "docs/glossary.md"
ROW = re.compile(r"^\| (?!term )([^|`]+?) \| [^|]+ \| `([^`|]+)` \|$", re.MULTILINE)
TERMS: list[tuple[str, str]] = ROW.findall(GLOSSARY.read_text(encoding="utf-8"))


def _words(term: str) -> list[str]:
    """The words of a term in lower case; what stands in brackets only tells two meanings apart."""
    return re.split(r"[ -]", re.sub(r" \(.*\)$", "", term).lower())


def _holds(text: str, words: list[str]) -> bool:
    """Whether a text in lower case holds a term, in prose or in a name: `score cache`, `ScoreCache`, `score_cache`."""
    # the first look is for speed: the pattern is slow and mostly not needed
    return words[0] in text and re.search(r"(?<![a-z])" + r"[\s_-]*".join(words), text) is not None


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
        or not _holds((ROOT / module).read_text(encoding="utf-8").lower(), _words(term))
    ]
    assert absent == []


def test_each_term_is_used_in_three_files_at_least() -> None:
    texts = [path.read_text(encoding="utf-8").lower() for path in (*code(), *pages()) if path != GLOSSARY]
    assert [term for term, _ in TERMS if _times(texts, _words(term)) < 3] == []


def _times(texts: list[str], words: list[str]) -> int:
    """In how many of the texts a term stands, counted up to three."""
    return len(list(islice((text for text in texts if _holds(text, words)), 3)))


def test_a_term_is_found_in_prose_and_in_names_and_nowhere_else() -> None:
    cache = _words("score cache")
    assert all(
        _holds(text, cache)
        for text in ("the score cache", "class scorecache", "score_cache = 1", "score\ncache")
    )
    assert not any(_holds(text, cache) for text in ("scores of a cache", "underscore cache"))
