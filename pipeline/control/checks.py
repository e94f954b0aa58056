"""Checks of the controllers' settings; each error names the setting and says what to do."""

from math import isfinite

from schemas.errors import ConfigError


def need_positive(owner: str, **settings: float) -> None:
    """Raise ConfigError for a setting that is not a finite number above 0."""
    for name, value in settings.items():
        if not (isfinite(value) and value > 0):
            raise ConfigError(f"{owner}: {name} is {value:g}: give a finite number above 0")


def need_at_least_0(owner: str, **settings: float) -> None:
    """Raise ConfigError for a setting that is not a finite number of at least 0."""
    for name, value in settings.items():
        if not (isfinite(value) and value >= 0):
            raise ConfigError(f"{owner}: {name} is {value:g}: give a finite number of at least 0")


def need_share(owner: str, **settings: float) -> None:
    """Raise ConfigError for a setting that is not above 0 and at most 1."""
    for name, value in settings.items():
        if not 0 < value <= 1:
            raise ConfigError(f"{owner}: {name} is {value:g}: give a share above 0, at most 1")


def need_order(owner: str, low_name: str, low: float, high_name: str, high: float) -> None:
    """Raise ConfigError unless `low` is at most `high`."""
    if not low <= high:
        raise ConfigError(
            f"{owner}: {low_name} {low:g} is above {high_name} {high:g}: lower it, or raise {high_name}"
        )
