"""Every program's options, and the options that a text names, in a command line or anywhere else."""

import re
from collections.abc import Iterator
from functools import cache

from benchmarks.configuration_page import sections

#: Of other projects' programs and of the tests' own, as far as pages show their command lines.
FOREIGN = {
    "accelerate launch": {"--module"},
    "kafka-configs.sh": {
        "--add-config",
        "--alter",
        "--bootstrap-server",
        "--describe",
        "--entity-name",
        "--entity-type",
    },
    "kafka-consumer-groups.sh": {"--execute", "--reset-offsets", "--to-earliest", "--topic"},
    "pyflyte run": {"--catalog", "--live", "--summarizer", "--work"},
    "pytest": {"--couchbase", "--timeout"},
    "sglang.launch_server": {
        "--api-key",
        "--attention-backend",
        "--chunked-prefill-size",
        "--disable-overlap-schedule",
        "--disable-radix-cache",
        "--max-total-tokens",
        "--mem-fraction-static",
        "--model-path",
        "--sampling-backend",
        "--served-model-name",
        "--skip-server-warmup",
        "--sleep-on-idle",
    },
    "torchrun": {"--nproc-per-node", "--standalone"},
}
#: In no list of options: for tests only, or argparse's own.
HIDDEN = {"--crash-at", "--help", "--setup-started"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?![\w…*-])")
#: A command line of ours: up to what ends a sentence's code, a pipe or another command.
LINE = re.compile(
    r"(nearline (?:[a-z]+(?:-[a-z]+)* ?)+|python3? -m [\w.]+(?: [a-z][a-z-]*)?)((?:\\\n|[^`|;&\n#])*)"
)


@cache
def known() -> dict[str, frozenset[str]]:
    """The options of each program, by its name on the configuration page."""
    return {
        name: frozenset(re.findall(r"--[\w-]+", " ".join(entry.name for entry in section.entries)))
        for section in sections()
        for name in re.findall(r"`((?:nearline|python -m) [^`]+)`", section.title)
    }


@cache
def everywhere() -> frozenset[str]:
    """The options of all programs of ours together."""
    every = {
        name for section in sections() for entry in section.entries for name in OPTION.findall(entry.name)
    }
    return frozenset(every | HIDDEN)


def strangers(text: str) -> list[str]:
    """Options in a text that no program has, whoever's."""
    others = set().union(*FOREIGN.values())
    return [name for name in OPTION.findall(text) if name not in everywhere() | others]


def misplaced(text: str) -> Iterator[str]:
    """Options in a command line that its program does not have; what is quoted is another program's."""
    for words, rest in LINE.findall(text):
        program = _program(words)
        if program is not None:
            own = OPTION.findall(re.sub(r"'[^']*'", "", rest))
            yield from (f"{program} {one}" for one in own if one not in known()[program] | HIDDEN)


def _program(words: str) -> str | None:
    """The program of the page with the longest name that `words` begin with."""
    plain = words.strip()
    found = [name for name in known() if f"{plain} ".startswith(f"{name} ")]
    return max(found, key=len, default=None)
