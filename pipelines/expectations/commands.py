"""`meridian expectations …`."""

import os

import typer

from pipelines.stack.state import state_path

app = typer.Typer(help="What files have to be like before they are landed.", no_args_is_help=True)


@app.callback()
def expectations() -> None:
    """What files have to be like before they are landed."""


@app.command()
def docs() -> None:
    """Build the data docs: every suite of expectations, and how each file was judged last."""
    from pipelines.expectations.docs import build_docs

    typer.echo(str(build_docs(state_path(os.environ))))
