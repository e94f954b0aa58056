"""Alert rules, dashboard and pages name metrics and labels that the processes export, and nothing else."""

import json
import re
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest
import yaml

from tests.docker.exported import (
    ADDED,
    FLINK_OWN,
    FLINK_PREFIX,
    PROMETHEUS,
    Exported,
    exported,
    feature_job,
)
from tests.docker.manifests import DOCKER, services
from tests.docker.promql import grouped_by, selectors

MONITORING = DOCKER / "monitoring"
DOCS = DOCKER.parent / "docs"
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
#: What Prometheus adds to the name of a counter or histogram.
ENDING = re.compile(r"_(total|bucket|sum|count|created)$")
EXPRESSIONS = [rule["expr"] for rule in RULES] + [t["expr"] for panel in PANELS for t in panel["targets"]]


@pytest.fixture(scope="module")
def known() -> Exported:
    return exported()


def mistakes(expression: str, known: Exported) -> list[str]:
    """What the expression names that no process exports."""
    used = selectors(expression)
    unknown = [one.metric for one in used if one.metric not in known]
    strange = [
        f"{one.metric}{{{label}}}"
        for one in used
        for label in sorted(one.labels - known.get(one.metric, one.labels) - ADDED)
    ]
    there = ADDED.union(*(known.get(one.metric, frozenset()) for one in used))
    return unknown + strange + [f"by ({label})" for label in sorted(grouped_by(expression) - there)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_of_an_expression_is_exported(expression: str, known: Exported) -> None:
    assert selectors(expression) != []
    assert mistakes(expression, known) == []


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("sum(nearline_matcher_lags) > 1", ["nearline_matcher_lags"]),
        ("rate(nearline_alerts_sent[5m])", ["nearline_alerts_sent"]),
        ("nearline_alerts_latency_seconds_buckets", ["nearline_alerts_latency_seconds_buckets"]),
        ('nearline_matcher_lag{topic="a"} > 1', ["nearline_matcher_lag{topic}"]),
        ("sum by (le, root) (nearline_model_request_seconds_bucket)", ["by (root)"]),
        (FLINK_PREFIX + "outcome_lost > 0 or up == 0", [FLINK_PREFIX + "outcome_lost"]),
    ],
)
def test_the_check_finds_what_no_process_exports(expression: str, wrong: list[str], known: Exported) -> None:
    assert mistakes(expression, known) == wrong


def test_the_tokenizer_tells_metrics_from_functions_labels_words_and_texts() -> None:
    expression = (
        'histogram_quantile(0.95, sum by (le) (rate(a_bucket{x="b_total", y=~"c|d"}[5m]))) > 1e3 '
        "and on (z) -e_total offset 5m or vector(0) / sum(f) without (g)"
    )
    assert [(one.metric, set(one.labels)) for one in selectors(expression)] == [
        ("a_bucket", {"x", "y"}),
        ("e_total", set()),
        ("f", set()),
    ]
    assert grouped_by(expression) == {"le", "z", "g"}
    with pytest.raises(ValueError, match="no PromQL"):
        selectors("sum(a) ; b")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_rule_has_a_severity_a_sentence_and_a_section_of_the_runbook(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"].endswith(".")
    assert all(re.fullmatch(r"\d+m", rule[name]) for name in ("for",) if name in rule)
    page, anchor = rule["annotations"]["runbook"].split("#")
    assert anchor in _anchors((DOCKER.parent / page).read_text())


def test_no_two_rules_share_a_name() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) > 0


def test_the_runbook_names_every_rule_and_no_other() -> None:
    named = re.findall(r"^Alerts?: (.*)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(named))) == sorted(rule["alert"] for rule in RULES)


def test_the_dashboards_panels_have_their_own_place_and_number() -> None:
    places = [(panel["id"], panel["gridPos"]) for panel in DASHBOARD["panels"]]
    assert len({number for number, _ in places}) == len(places)
    assert [(a, b) for (a, p), (b, q) in combinations(places, 2) if _overlap(p, q)] == []
    assert all(place["x"] + place["w"] <= 24 for _, place in places)


def test_every_panel_asks_the_data_source_that_the_user_chose() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    asked = [part["datasource"]["uid"] for panel in PANELS for part in (panel, *panel["targets"])]
    assert set(asked) == {"${datasource}"}


def test_prometheus_finds_the_processes_of_the_compose_file_where_they_listen() -> None:
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert all(name.startswith("nearline-") for name in targets)
    listening = {f"{name}:{_port(service)}" for name, service in services().items() if _port(service)}
    assert {one for names in targets.values() for one in names} == listening


def test_the_pages_name_metrics_that_are_exported(known: Exported) -> None:
    pages = [*DOCS.glob("*.md"), *DOCS.glob("adr/*.md")]
    assert {page.name: found for page in pages if (found := strangers(page.read_text(), known))} == {}
    assert strangers((DOCS / "runbook.md").read_text(), {}) != []


def test_the_terminal_view_reads_metrics_that_are_exported(known: Exported) -> None:
    files = list((DOCS.parent / "nearline" / "top").glob("*.py"))
    assert {file.name: found for file in files if (found := strangers(file.read_text(), known))} == {}
    assert any(strangers(file.read_text(), {}) for file in files)


def test_the_check_of_pages_finds_a_metric_that_does_not_exist(known: Exported) -> None:
    text = "`nearline_matcher_lag`, nearline_matcher_lags, `nearline_model_*`, nearline_models_*, flink_taskmanager_x"
    assert strangers(text, known) == ["nearline_matcher_lags", "flink_taskmanager_x"]


def strangers(text: str, known: Exported) -> list[str]:
    """Names of metrics in a text that nobody exports; a counter or histogram may stand without its ending."""
    plain = [*known, *(ENDING.sub("", name) for name in known)]
    named = re.findall(
        r"\b((?:nearline_(?:matcher|alerts|model|component)|flink_(?:job|task)manager)_\w*\*?)", text
    )
    return [
        name
        for name in named
        if name not in plain and not (name.endswith("*") and any(one.startswith(name[:-1]) for one in plain))
    ]


def test_the_operations_page_names_every_metric_of_ours(known: Exported) -> None:
    page, ours = (DOCS / "operations.md").read_text(), known.keys() - FLINK_OWN.keys() - PROMETHEUS.keys()
    assert len(ours) > 40
    assert unnamed(ours, page) == []
    assert unnamed(ours, page.replace("`nearline_model_tokens`", "")) == ["nearline_model_tokens"]


def unnamed(exported_names: Iterable[str], page: str) -> list[str]:
    """Metrics that a page does not name between backticks, without their ending and Flink's prefix."""
    names = {ENDING.sub("", name.replace(FLINK_PREFIX, "nearline_")) for name in exported_names}
    return sorted(name for name in names if f"`{name}`" not in page)


def test_every_flink_metric_taken_as_known_is_used() -> None:
    used = {one.metric for expression in EXPRESSIONS for one in selectors(expression)}
    assert set(FLINK_OWN) <= used
    assert len(feature_job()) > 8


def _anchors(page: str) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return all(a[x] < b[x] + b[w] and b[x] < a[x] + a[w] for x, w in (("x", "w"), ("y", "h")))


def _port(service: dict[str, Any]) -> int | None:
    """Where a service of the compose file shows metrics."""
    command = service.get("command", [])
    for option in ("--metrics-port", "--port"):
        if option in command:
            return int(command[command.index(option) + 1])
    properties = str(service.get("environment", {}).get("FLINK_PROPERTIES", ""))
    port = re.search(r"metrics.reporter.prom.port: (\d+)", properties)
    return int(port[1]) if port and command[:1] in (["standalone-job"], ["taskmanager"]) else None
