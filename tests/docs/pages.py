"""The project's texts as the tests of citations read them: pages with their anchors, and files that may cite one."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = (
    "schemas",
    "storage",
    "models",
    "pipeline",
    "streaming",
    "batch",
    "training",
    "nearline",
    "benchmarks",
)
CITING = (*CODE, "tests", "docs", "docker")
SUFFIXES = frozenset((".py", ".md", ".toml", ".cpp", ".h", ".sh", ".yaml", ".yml", ".avsc", ".java", ".xml"))
PLAIN = frozenset(("Makefile", "NOTICE", "LICENSE"))
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Every page of Markdown, model cards among them."""
    return [path for path in citing() if path.suffix == ".md"]


def code() -> list[Path]:
    """The modules of the product and its benchmarks."""
    return [path for path in citing() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE]


@cache
def citing() -> tuple[Path, ...]:
    """Every text file of the project, apart from these tests, which hold broken citations on purpose."""
    found = [path for folder in CITING for path in (ROOT / folder).rglob("*")]
    return tuple(sorted(path for path in (*found, *ROOT.glob("*")) if path.is_file() and _cites(path)))


@cache
def prose(path: Path) -> str:
    """A file's text on one line, without what marks comments, so that a citation may be broken across lines."""
    return re.sub(r"\s*\n\s*(?:#:?|//|\*)?\s*", " ", path.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them, and those that it sets itself."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        twins = sum(1 for one in found if re.fullmatch(rf"{re.escape(slug)}(?:-\d+)?", one))
        found.append(f"{slug}-{twins}" if twins else slug)
    return frozenset(found)


def _cites(path: Path) -> bool:
    inside = path.relative_to(ROOT).parts
    return inside[:2] != ("tests", "docs") and (path.suffix in SUFFIXES or path.name in PLAIN)
