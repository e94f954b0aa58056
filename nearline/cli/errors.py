"""How a command prints an error."""

from rich.console import Console

from nearline.shown import markup


def print_error(error: Exception) -> None:
    """Print the error in one line, however wide the terminal is."""
    Console(stderr=True, soft_wrap=True, emoji=False).print(
        f"[bold red]error:[/] {markup(str(error))}", highlight=False
    )
