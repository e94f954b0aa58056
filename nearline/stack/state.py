"""Read the file in which a stack's supervisor says how its components are."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

#: What every state has, so that its readers need not ask.
_NO_STATE = {"name": "", "pid": None, "healthy": False, "restarts": 0, "last_exit": "", "trouble": ""}


def read_state(home: Path) -> list[dict[str, object]]:
    """The state file's components; none when no stack has been started. ConfigError for a file that is not one."""
    return [{**_NO_STATE, **state} for state in _state_file(home)["components"]]


def state_age_s(home: Path, clock: Callable[[], float] = time.monotonic) -> float:
    """How long ago the supervisor wrote its state, which it does every few seconds; by this machine's own clock."""
    now_s = clock()
    return now_s - float(_state_file(home).get("written_s", now_s))


def _state_file(home: Path) -> dict[str, Any]:
    path = home / "state.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return found | {"components": [dict(state) for state in found["components"]]}
    except FileNotFoundError:
        return {"components": []}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a stack's state: `nearline down`, then remove it") from error
