"""Alerts at a threshold, and the least threshold above which enough of what alerts is relevant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from training.components.arrays import Floats

LEAST_ALERTS = 20
"""Alerts of a domain from which a precision is taken for more than chance."""
STEP = 0.005
"""Thresholds that are tried lie so far apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFigures:
    """Alerts at a threshold: how many pairs reach it, how many of those are relevant, and of all relevant ones.

    `precision` is nan without an alert, `recall` without a relevant pair.
    """

    threshold: float
    pairs: int
    relevant: int
    alerts: int
    right: int

    @property
    def precision(self) -> float:
        """The share of the alerts that are relevant."""
        return self.right / self.alerts if self.alerts else float("nan")

    @property
    def recall(self) -> float:
        """The share of the relevant pairs that alert."""
        return self.right / self.relevant if self.relevant else float("nan")

    def as_json(self) -> dict[str, float]:
        """The figures as they stand in a report's JSON."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall}


def alerts(p_N: Floats, relevant_N: npt.NDArray[np.bool_], threshold: float) -> AlertFigures:
    """The figures of N pairs whose `p_yes` is given."""
    above_N = p_N >= threshold
    return AlertFigures(
        threshold=threshold,
        pairs=len(p_N),
        relevant=int(relevant_N.sum()),
        alerts=int(above_N.sum()),
        right=int((above_N & relevant_N).sum()),
    )


Domain = tuple[Floats, npt.NDArray[np.bool_]]
"""`p_yes` of a domain's pairs, and which of them are relevant."""


def least_threshold(domains: Mapping[str, Domain], precision: float) -> tuple[float | None, list[str]]:
    """The least threshold at which every domain has that precision over LEAST_ALERTS alerts or more, and warnings.

    None where there is no such threshold; the warnings name the domains to blame and the best that each reaches.
    """
    tried = [round(STEP * number, 3) for number in range(1, round(1 / STEP))]
    reached = {
        name: {t for t in tried if _holds(alerts(p_N, yes_N, t), precision)}
        for name, (p_N, yes_N) in domains.items()
    }
    common = set.intersection(*reached.values()) if reached else set()
    if common:
        return min(common), []
    return None, [_told(name, *domains[name], reached[name], precision) for name in domains]


def _holds(found: AlertFigures, precision: float) -> bool:
    return found.alerts >= LEAST_ALERTS and found.precision >= precision


def _told(name: str, p_N: Floats, yes_N: npt.NDArray[np.bool_], reached: set[float], precision: float) -> str:
    if reached:
        return f"{name}: precision {precision} from {min(reached)} to {max(reached)}, where another domain has less"
    top = float(np.sort(p_N)[-min(LEAST_ALERTS, len(p_N))])
    best = alerts(p_N, yes_N, top)
    return (
        f"warning: no threshold gives {name} precision {precision} over {LEAST_ALERTS} alerts or more: from {top:.3f} on, "
        f"{best.right} of {best.alerts} alerts are right"
    )
