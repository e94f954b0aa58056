"""The sample's own judgements: which posting should alert for which search, written by reading both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from schemas.errors import ConfigError
from schemas.lines import numbered_lines
from schemas.records import Alert


class Should(StrEnum):
    """Whether a posting should alert for a search; `either`: people would disagree, or an edit decides."""

    YES = "yes"
    NO = "no"
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAlertPair:
    """One judgement, and why."""

    search_id: str
    posting_id: str
    should: Should
    why: str


PairKey = tuple[str, str]
"""Ids of a search and a posting."""


def read_pairs(path: Path) -> dict[PairKey, JudgedAlertPair]:
    """The judgements of a JSON Lines file `{search, posting, alert, why}`; ConfigError names a line that is wrong."""
    found: dict[PairKey, JudgedAlertPair] = {}
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            pair = JudgedAlertPair(
                search_id=row["search"],
                posting_id=row["posting"],
                should=Should(row["alert"]),
                why=row["why"],
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path}, line {number}: {error!r}; give search, posting, alert (yes, no or either) and why"
            ) from error
        if (key := (pair.search_id, pair.posting_id)) in found:
            raise ConfigError(f"{path}, line {number}: {key[0]} with {key[1]} is judged twice")
        found[key] = pair
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCheck:
    """Alerts by what the judgements say of them, a pair once; `missed`: judged yes, and no alert came."""

    right: Sequence[Alert]
    wrong: Sequence[Alert]
    either: Sequence[Alert]
    unjudged: Sequence[Alert]
    missed: Sequence[JudgedAlertPair]

    @property
    def precision(self) -> float:
        """The share of right ones among the alerts judged yes or no; nan without any."""
        judged = len(self.right) + len(self.wrong)
        return len(self.right) / judged if judged else float("nan")


def check(alerts: Iterable[Alert], pairs: Mapping[PairKey, JudgedAlertPair]) -> AlertCheck:
    """Sort alerts by their judgements; of several for one pair the one with the highest score counts."""
    best: dict[PairKey, Alert] = {}
    for alert in sorted(alerts, key=lambda alert: alert.p_yes):
        best[alert.search_id, alert.posting_id] = alert
    groups: dict[Should | None, list[Alert]] = {}
    for key, alert in best.items():
        groups.setdefault(pairs[key].should if key in pairs else None, []).append(alert)
    return AlertCheck(
        right=groups.get(Should.YES, []),
        wrong=groups.get(Should.NO, []),
        either=groups.get(Should.EITHER, []),
        unjudged=groups.get(None, []),
        missed=[pair for key, pair in pairs.items() if pair.should is Should.YES and key not in best],
    )
