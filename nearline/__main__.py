"""Start the command line after a check that all packages are this project's (`nearline/roots.py`)."""

import sys

from nearline.roots import complaint, foreign_packages


def main() -> None:
    """Run the command line, or name the foreign packages and end with status 1.

    It raises no ConfigError: `schemas`, which defines that, may be one of the foreign packages.
    """
    if foreign := foreign_packages():
        sys.exit(complaint(foreign))
    from nearline.cli.app import run  # imports the packages that were just checked

    run()


if __name__ == "__main__":
    main()
