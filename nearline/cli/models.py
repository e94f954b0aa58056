"""`nearline models …`: bring checkpoints of others into the form that `nearline serve` reads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Bring checkpoints into the form that the server reads.")


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="GGUF_OR_DIR", help="GGUF file or Hugging Face directory.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory to write; it must not exist yet.")],
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16; default: a directory's own, float32 for GGUF."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence that the model card names; default: what a GGUF file names.")
    ] = None,
) -> None:
    """Turn a GGUF file or a Hugging Face directory into a directory that `nearline serve` reads."""
    from models.importing import Import, import_model

    today = datetime.now(UTC).date()
    wanted = Import(source=source, out=out, day=today, dtype=dtype, licence=licence)
    import_model(wanted, lambda line: typer.echo(line, err=True))
