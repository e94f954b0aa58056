"""The figures of a running system as a browser shows them, from the looks that `nearline top` takes."""

from typing import Any

from nearline.top.history import History
from nearline.top.scoring import CACHE, by_label, hits, looked_up, scoring_lines
from nearline.top.troubles import troubles
from nearline.top.view import stages


def readings(history: History) -> dict[str, Any]:
    """Stages with what waits, rates and latencies; the score cache's hit rate, the depth; lines and troubles.

    None stands for what no process shows. Rates are per second, latencies in seconds, `window_s` how long they cover.
    """
    return {
        "window_s": history.seconds,
        "stages": [
            {
                "name": name,
                "waits": waits,
                "rate": rate,
                "p50_s": history.quantile(0.5, histogram) if histogram else None,
                "p95_s": history.quantile(0.95, histogram) if histogram else None,
            }
            for name, waits, rate, histogram in stages(history)
        ],
        "hit_rate": _hit_rate(history),
        "depth": history.value("nearline_alerts_depth"),
        "lines": [{"what": line.what, "figures": line.figures} for line in scoring_lines(history)],
        "troubles": list(troubles(history)),
    }


def _hit_rate(history: History) -> float | None:
    """The share of look-ups that a kept score answered: of the window, or since the start while nothing is asked."""
    now = by_label(history, CACHE, "result", history.rate)
    known = now if looked_up(now) > 0 else by_label(history, CACHE, "result", history.value)
    return hits(known) / looked_up(known) if looked_up(known) > 0 else None
