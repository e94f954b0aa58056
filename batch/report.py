"""The report of a run, and the line that tells its progress."""

import json
from dataclasses import dataclass

from batch.progress import BackfillProgress
from schemas.records import Outcome

SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """The counts of a whole run, also of one that went on after a kill; the outcomes add up to `rows_in`.

    Of this process alone are `seconds`, `work_s` (without start and survey) and `rows_here`. `rate_per_s`: the
    summaries a second from which a dry run computes hours.
    """

    total: BackfillProgress
    catalog: list[str]
    store: str
    mode: str
    dead_letters: str
    resumed: bool
    seconds: float
    work_s: float
    rows_here: int
    dry_run: bool = False
    rate_per_s: float = 0.0

    def figures(self) -> dict[str, object]:
        """The report as plain values."""
        total = self.total
        outcomes = {outcome.value: total.outcomes[outcome] for outcome in Outcome}
        figures: dict[str, object] = {
            "rows_in": total.rows_in,
            **outcomes,
            "outcomes": outcomes,
            "unexplained": total.rows_in - sum(outcomes.values()),
            "left_alone": total.left_alone,
            "not_sampled": total.not_sampled,
            "rows_read": total.rows_done,
            "summarizer_calls": total.summarizer_calls,
            "tokens_before": total.tokens_before,
            "tokens_after": total.tokens_after,
            "vectors_made": total.vectors_made,
            "vectors_refused": total.vectors_refused,
            "vectors_missed": total.vectors_missed,
            "mode": self.mode,
            "catalog": self.catalog,
            "store": self.store,
            "dead_letters_in": self.dead_letters,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 1),
            "work_s": round(self.work_s, 1),
            "rows_per_s": round(self.rows_here / max(1e-9, self.work_s), 1),
        }
        return figures | self._estimate() if self.dry_run else figures

    def to_json(self) -> bytes:
        """The figures as a file's content."""
        return (json.dumps(self.figures(), indent=2, ensure_ascii=False) + "\n").encode()

    def _estimate(self) -> dict[str, object]:
        total, rate = self.total, self.rate_per_s
        hours = round(total.summarizer_calls / rate / SECONDS_AN_HOUR, 3) if rate else None
        return {
            "dry_run": True,
            "postings_to_summarize": total.summarizer_calls,
            "tokens_to_read": total.tokens_before,
            "tokens_to_write_at_most": total.tokens_after,
            "summaries_per_s": round(rate, 2),
            "hours": hours,
        }


def progress_line(done: int, total: int, began_with: int, seconds: float) -> str:
    """`done` of `total` rows, the rate since this process began at `began_with` rows, and the time left."""
    rate = (done - began_with) / max(1e-9, seconds)
    share = f"{100 * done / total:.0f}%" if total else "100%"
    left = f"{_clock((total - done) / rate)} left" if rate > 0 else "–"
    return f"{done:,} of {total:,} rows ({share})  {rate:,.0f}/s  {left}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
