"""Traffic classes: what a request is for, and so whose turn comes first. Higher = sooner, as with `priority`."""

from enum import IntEnum

#: A request says its class in this header; one without it is online.
TRAFFIC_HEADER = "x-traffic-class"


class TrafficClass(IntEnum):
    """What a request to a ranker is for; the value is the `priority` that our model server gives it.

    A person waits for ONLINE. NEARLINE is alerts, which may be late but are never given up. REFRESH renews scores
    that are still good, and may be dropped.
    """

    REFRESH = -2
    NEARLINE = -1
    ONLINE = 0

    @property
    def label(self) -> str:
        """The class as headers, options and metrics name it."""
        return self.name.lower()


def traffic_class(label: str) -> TrafficClass:
    """The class of this label; raises ValueError that names the labels there are."""
    for one in TrafficClass:
        if one.label == label.strip().lower():
            return one
    raise ValueError(
        f"{label[:99]!r} is no traffic class: give {', '.join(one.label for one in TrafficClass)}"
    )
