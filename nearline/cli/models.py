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
    import_model(wanted, _tell)


@app.command()
def adapt(
    adapter: Annotated[Path, typer.Argument(help="Directory of a low-rank adapter, such as RUN/best.")],
    *,
    base: Annotated[Path, typer.Option(help="Checkpoint directory that it was trained on.")],
    out: Annotated[Path, typer.Option(help="Directory to write; one that holds an adapter is replaced.")],
) -> None:
    """Place a low-rank adapter on its base, so that `nearline serve --ranker OUT` serves the two merged."""
    from models.placing import place_adapter

    place_adapter(adapter, base, out)
    _tell(f"written: {out}")


def _tell(line: str) -> None:
    typer.echo(line, err=True)
