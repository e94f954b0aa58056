"""The changelog keeps its form, and its newest version is the distribution's."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_unreleased_comes_first_and_then_the_version_of_the_distribution() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} – \d{{4}}-\d\d-\d\d", headings[1])


def test_every_version_lists_its_changes_by_kind_each_kind_once_and_not_empty() -> None:
    versions = re.split(r"^## .+$", CHANGELOG, flags=re.MULTILINE)[1:]
    assert versions
    for version in versions:
        head, *kinds = re.split(r"^### (.+)$", version, flags=re.MULTILINE)
        assert head.strip() == ""
        assert len(set(kinds[::2])) == len(kinds[::2])
        assert set(kinds[::2]) <= set(KINDS)
        assert all(entries.strip().startswith("- ") for entries in kinds[1::2])
