"""Read the metrics pages of all processes at one moment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from nearline.stack.component import HTTP
from nearline.stack.settings import StackSettings

TIMEOUT_S = 3.0
"""A TaskManager takes a second for its page when the machine is busy."""


class Source(NamedTuple):
    """A process that shows metrics: its name for people, and the address of its page."""

    name: str
    url: str


class Sample(NamedTuple):
    """One value with its labels."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All samples of all pages by name, at `at_s` of a monotonic clock; `unreachable`: why a process gave none."""

    at_s: float
    samples: Mapping[str, Sequence[Sample]]
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def values(self, name: str, labels: Mapping[str, str]) -> list[Sample]:
        """The samples of a metric that have all of `labels`."""
        return [one for one in self.samples.get(name, ()) if labels.items() <= one.labels.items()]


#: The text of a page; raises httpx.HTTPError.
Get = Callable[[str], str]


def fetched(url: str) -> str:
    """The text of the metrics page at `url`; httpx.HTTPError without an answer of status 200 within TIMEOUT_S."""
    page = HTTP.get(url, timeout=TIMEOUT_S)
    page.raise_for_status()
    return page.text


def look(sources: Iterable[Source], now_s: float, get: Get = fetched) -> Look:
    """Read every page once; one that does not answer, or shows no metrics, is noted and does not stop the others."""
    samples: dict[str, list[Sample]] = {}
    unreachable = {}
    for source in sources:
        try:
            found = parsed(get(source.url))
        except httpx.HTTPError as error:
            unreachable[source.name] = _why(error)
        except ValueError:
            unreachable[source.name] = f"{source.url} shows no metrics"
        else:
            for name, values in found.items():
                samples.setdefault(name, []).extend(values)
    return Look(at_s=now_s, samples=samples, unreachable=unreachable)


def parsed(text: str) -> dict[str, list[Sample]]:
    """The samples of one page that are ours or Flink's lag, by name; ValueError for a text that is no page of metrics.

    A TaskManager's page has half a megabyte, of which a hundredth is of use here.
    """
    found: dict[str, list[Sample]] = {}
    lines = text.splitlines(keepends=True)
    if lines and not any(line.startswith("# TYPE") for line in lines):
        raise ValueError("no metric has a type")
    for family in text_string_to_metric_families("".join(filter(_is_of_use, lines))):
        for one in family.samples:
            found.setdefault(one.name, []).append(Sample(one.labels, one.value))
    return found


def _is_of_use(line: str) -> bool:
    """Whether a line has a sample, a type or a help of a metric that the view shows; labels do not count."""
    name = line.split("{", 1)[0]
    return "nearline_" in name or name.rstrip().endswith("pendingRecords") or "pendingRecords " in name


def stack_sources(stack: StackSettings) -> list[Source]:
    """The processes of a local stack; with stand-ins inside the processes there is no model server."""
    here = {
        "matcher": "matcher_metrics",
        "alert consumer": "consumer_metrics",
        "search service": "search_metrics",
        "Flink's JobManager": "jobmanager_metrics",
        "Flink's TaskManager": "taskmanager_metrics",
        "supervisor": "supervisor_metrics",
    }
    found = [Source(name, f"http://127.0.0.1:{stack.port(role)}/metrics") for name, role in here.items()]
    models = dict.fromkeys(
        url for url in (stack.ranker_url, stack.summarizer_url, stack.embedder_url) if url.startswith("http")
    )
    names = ["model server"] if len(models) == 1 else ["ranker", "summarizer"]
    return found + [Source(name, f"{url}/metrics") for name, url in zip(names, models, strict=False)]


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
