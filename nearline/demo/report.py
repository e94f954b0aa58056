"""The figures of a demo run, and their file `report.json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nearline.demo.scoring import Scoring
from streaming.tools.observer import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """Counts and latencies of one run; the outcomes add up to `updates_in`."""

    updates_in: int
    seen: Seen
    features: int
    setup_s: float
    replay_s: float
    scoring: Scoring = field(default_factory=Scoring)

    @property
    def unexplained(self) -> int:
        """Updates without an outcome; 0 in a run without errors."""
        return self.updates_in - len(self.seen.outcomes)

    def figures(self) -> dict[str, Any]:
        """The figures as plain values by name; `_ms` in milliseconds, `_s` in seconds."""
        seen, outcomes = self.seen, self.seen.counts()
        return {
            "updates_in": self.updates_in,
            **outcomes,
            "outcomes": outcomes,
            "unexplained": self.unexplained,
            "dead_letter_reasons": dict(seen.reasons),
            "features": self.features,
            "summarizer_calls": seen.summarizer_calls,
            "share_without_summarizer_call": round(1 - seen.summarizer_calls / max(1, self.updates_in), 4),
            "alerts": len(seen.alerts),
            "duplicate_alert_ids": seen.duplicate_alert_ids,
            "update_to_feature_ms": percentiles(seen.feature_ms),
            "update_to_alert_ms": percentiles(seen.alert_ms),
            **self.scoring.figures(),
            "setup_s": round(self.setup_s, 1),
            "replay_s": round(self.replay_s, 1),
        }

    def write(self, path: Path) -> None:
        """Write the figures as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.figures(), indent=2) + "\n")


def percentiles(values_ms: Sequence[int]) -> dict[str, int | None]:
    """The median and the 95th percentile (nearest rank); None without a value."""
    ordered = sorted(values_ms)

    def rank(share: float) -> int | None:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    return {"p50": rank(0.50), "p95": rank(0.95)}
