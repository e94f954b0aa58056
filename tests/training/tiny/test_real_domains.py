"""The ranker's training names a domain whose file is missing, absent or of another domain."""

import json
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from training.rules.lexicon.entries import DOMAINS
from training.tiny.real_domains import real_domains
from training.tiny.settings import RealData


def postings(folder: Path, title: str) -> Path:
    path = folder / f"{title}.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {"id": f"{title} {at}", "title": title, "company": f"Firm {at}", "description": f"Text {at}"}
            )
            + "\n"
            for at in range(4)
        )
    )
    return path


def test_a_domain_without_a_file_and_a_file_of_another_domain_are_named(tmp_path: Path) -> None:
    told: list[str] = []
    nurses = postings(tmp_path, "Staff Nurse")
    real = RealData(health=nurses, general=nurses, cache=tmp_path)
    assert [one.words.domain for one in real_domains(real, DOMAINS, told.append)] == ["health", "general"]
    warnings = [line for line in told if line.startswith("warning")]
    assert "--technology FILE" in warnings[0]
    assert "most of its titles are of the domain health" in warnings[1]
    assert len(warnings) == 2


def test_without_any_file_nothing_is_read_and_nothing_is_missed(tmp_path: Path) -> None:
    told: list[str] = []
    assert real_domains(RealData(cache=tmp_path), DOMAINS, told.append) == []
    assert told == []


@pytest.mark.parametrize("made", [False, True])
def test_a_file_that_is_not_there_or_empty_is_named(tmp_path: Path, *, made: bool) -> None:
    path = tmp_path / "absent.jsonl"
    if made:
        path.write_text("")
    with pytest.raises(ConfigError, match=r"--general .*absent.jsonl"):
        real_domains(RealData(general=path, cache=tmp_path), DOMAINS, lambda _line: None)
