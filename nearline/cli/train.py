"""`nearline train …`: from judgements to the checkpoint of a ranker."""

import typer

app = typer.Typer(no_args_is_help=True, help="Train a ranker: judge postings, fine-tune a checkpoint.")
