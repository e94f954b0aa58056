"""The policies by their names, as a setting gives them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from models.engine.scheduling.density import Density
from models.engine.scheduling.policies import AgedLpm, Fcfs, KLpm, Lpm, Policy
from models.engine.scheduling.ratio import Hrrn


class PolicyName(StrEnum):
    """Rules for the next of the waiting requests of one priority."""

    FCFS = "fcfs"
    LPM = "lpm"
    K_LPM = "k-lpm"
    AGED_LPM = "aged-lpm"
    HRRN = "hrrn"
    DENSITY = "density"


POLICIES: dict[PolicyName, Callable[[], Policy]] = {
    PolicyName.FCFS: Fcfs,
    PolicyName.LPM: Lpm,
    PolicyName.K_LPM: KLpm,
    PolicyName.AGED_LPM: AgedLpm,
    PolicyName.HRRN: Hrrn,
    PolicyName.DENSITY: Density,
}
"""Each makes a policy for the requests of one priority."""
