"""`nearline train …`: what makes the weights, from judgements to a checkpoint."""

import typer

app = typer.Typer(no_args_is_help=True, help="Judge, fine-tune: what makes the weights.")
