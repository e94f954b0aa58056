"""Check that the packages that this process would import are this project's own.

Their names are short (`models`, `schemas`), so a folder on the import path or another distribution may have one of them
too, and Python takes whichever comes first (docs/adr/0011-flat-top-level-packages.md). The answer comes from where the
import system would look; nothing is imported for it.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

ROOTS = ("schemas", "storage", "models", "pipeline", "streaming", "batch", "training", "nearline")
HOME = Path(__file__).resolve().parents[1]


def foreign_packages(roots: Sequence[str] = ROOTS) -> dict[str, Path]:
    """Name → place of each root that would be imported from another folder than the one that holds `nearline`."""
    found = {name: place for name in roots if (place := _place(name)) is not None}
    return {name: place for name, place in found.items() if place.resolve() != HOME / name}


def complaint(foreign: dict[str, Path]) -> str:
    """What is wrong and what to do about it, for whoever started the process."""
    lines = (
        f"  {name} would come from {place} instead of {HOME / name}\n" for name, place in foreign.items()
    )
    return (
        "error: packages of other software have names of this project's and come first on the import path:\n"
        + "".join(lines)
        + "Install this project into a virtual environment of its own, uninstall what brought these packages, "
        "or take their folder out of PYTHONPATH (`python -m` adds the folder that it is started in)."
    )


def _place(name: str) -> Path | None:
    """The folder or file that `import name` would load; None if there is none."""
    spec = find_spec(name)
    if spec is None:
        return None
    place = next(iter(spec.submodule_search_locations or ()), spec.origin)
    return Path(place) if place else None
