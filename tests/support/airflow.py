"""An Airflow for tests, and what its DAGs are held to."""

from collections.abc import Sequence
from typing import Any

import typer

LINES_MAX = 40


def typed(app: typer.Typer, arguments: Sequence[str]) -> bool:
    """Whether a command of the app has these words and options."""
    command: Any = typer.main.get_command(app)
    words = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if not word.startswith("{{")}
    return given <= known
