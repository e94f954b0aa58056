"""What cache and controls counted themselves, for the report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.control.admission import Admission
from pipeline.scoring.flights import FlightTable
from pipeline.simulation.depths import DepthControl


def counters(
    flights: FlightTable | None, admission: Admission[Any] | None, depths: DepthControl
) -> dict[str, float]:
    """Return the counters of the parts that there are, by part and name."""
    found: dict[str, float] = {}
    if flights is not None:
        found |= {f"cache {name}": value for name, value in asdict(flights.counts).items()}
    if admission is not None:
        state = admission.state()
        found |= {f"limit {name}": value for name, value in asdict(state.limit).items() if value is not None}
        for traffic, one in state.classes.items():
            found |= {f"{traffic.label} {name}": value for name, value in asdict(one).items()}
    found.update(depths.states())
    return found
