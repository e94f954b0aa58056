"""What the alert consumer says of its score cache and depth at the end of a demo."""

from dataclasses import dataclass
from typing import Any

from nearline.top.history import History
from nearline.top.pages import Get, Source, fetched, look
from nearline.top.scoring import CACHE, by_label, hits, looked_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Look-ups in the score cache and those that a score answered which was there; the depth. None: not known."""

    lookups: int | None = None
    hits: int | None = None
    depth: int | None = None

    @property
    def hit_rate(self) -> float | None:
        """The share of look-ups that were hits; None without a look-up."""
        return self.hits / self.lookups if self.lookups and self.hits is not None else None

    def figures(self) -> dict[str, Any]:
        """The figures as plain values by name."""
        rate = self.hit_rate
        return {
            "score_cache_lookups": self.lookups,
            "score_cache_hit_rate": None if rate is None else round(rate, 4),
            "depth": self.depth,
        }

    def line(self) -> str:
        """Hit rate and depth in one line."""
        rate, depth = self.hit_rate, self.depth
        cache = "no look-up" if rate is None else f"{rate:.0%} of {self.lookups:,} look-ups were hits"
        return f"score cache: {cache}; depth: {'not known' if depth is None else f'{depth:,} candidates a request'}"


def scoring(metrics_url: str, get: Get = fetched) -> Scoring:
    """What the page of metrics says; unknown figures if the consumer does not answer."""
    history = History()
    history.add(look([Source("alert consumer", metrics_url)], 0.0, get))
    results, depth = by_label(history, CACHE, "result", history.value), history.value("nearline_alerts_depth")
    known = bool(results)
    return Scoring(
        lookups=int(looked_up(results)) if known else None,
        hits=int(hits(results)) if known else None,
        depth=None if depth is None else int(depth),
    )
