"""This project's variables among all that the environment holds."""

import re
from collections.abc import Mapping

#: What Kubernetes adds to a service's name, and Docker's `--link` to a container's: addresses and ports of the service.
#: `_PORT` alone might be somebody's mistaken setting; from Kubernetes its value is an address (tcp://10.0.0.1:9092).
_LINK = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def settings_in(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The variables that begin with `prefix`, by name, without those that a cluster sets for its services.

    A service named `nearline-kafka` gives each pod of its namespace NEARLINE_KAFKA_SERVICE_HOST and six more, unless
    the pod says `enableServiceLinks: false`. Nobody wrote these variables as settings, so that no client may refuse
    them.
    """
    return {
        name: value
        for name, value in sorted(environ.items())
        if name.startswith(prefix) and not _service_link(name, value)
    }


def _service_link(name: str, value: str) -> bool:
    return bool(_LINK.fullmatch(name) or (name.endswith("_PORT") and _ADDRESS.match(value)))
