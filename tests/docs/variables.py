"""Environment variables: those that the code reads, and those that a page names."""

import re
from functools import cache

from schemas.environment import settings_in
from schemas.settings import rows
from streaming.kafka.settings import PREFIX, KafkaSettings
from tests.docs.pages import ROOT, code

#: Reading one by its name: `environ.get("X")`, `environ["X"]` that is not assigned to, `getenv("X")`.
READ = re.compile(r"""(?:environ(?:ment)?(?:\.get\(\s*|\[)|getenv\(\s*)["'](\w+)["'](?!\]\s*=[^=])""")
#: A name of ours that stands in the code, wherever it is read.
OURS = re.compile(r"""["'](NEARLINE_[A-Z_]*[A-Z])["']""")
#: In compose files, `${X}` with or without a default.
COMPOSED = re.compile(r"\$\{(\w+)")
#: On pages: names of this project and of what it starts.
NAMED = re.compile(r"\b((?:NEARLINE|COUCHBASE|SCHEMA_REGISTRY|SGLANG)_(?:[A-Z_]*[A-Z]\b|[A-Z_]*\*))")


@cache
def read_by_the_code() -> frozenset[str]:
    """Every variable that a program, a test or a compose file reads."""
    kafka = {PREFIX + row.field.upper() for row in rows(KafkaSettings)}
    texts = [path.read_text() for path in (*code(), *(ROOT / "tests" / "faults").glob("*.py"))]
    composed = (ROOT / "docker" / "compose.yaml").read_text()
    return frozenset(
        kafka | {name for text in texts for name in reads(text)} | set(COMPOSED.findall(composed))
    )


def reads(text: str) -> set[str]:
    """The variables that a module reads, and those of this project that it names."""
    return {*READ.findall(text), *OURS.findall(text)}


def absent(text: str) -> list[str]:
    """Variables that a text names and nothing reads or sets, no cluster either; `X_*` stands for all that begin so."""
    known = read_by_the_code() | set_by_the_code()
    return [
        name
        for name in NAMED.findall(text)
        if name not in known
        and (name.endswith("*") or settings_in({name: ""}, ""))
        and not (name.endswith("*") and any(one.startswith(name.rstrip("*")) for one in known))
    ]


@cache
def set_by_the_code() -> frozenset[str]:
    """Variables that the code sets for programs that it starts: keys of a mapping."""
    return frozenset(
        name for path in code() for name in re.findall(r"[\"']([A-Z][A-Z_]+)[\"']:", path.read_text())
    )
