"""What a job is in the process that was forked for it. The fork server imports this before anything else.

The server runs no script, and DuckDB takes a process without one for somebody's session: it would draw a progress bar
into the output of a query that takes long. So the server says what it runs.
"""

import io
import os
import sys

if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


def be_the_command(arguments: tuple[str, ...], environment: dict[str, str], out: str, err: str) -> None:
    """Run `meridian` with these arguments and this environment; output and errors go to the two files."""
    from pipelines.cli import main

    for number, path in ((1, out), (2, err)):
        with open(path, "w") as file:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(file.fileno(), number)
    sys.stdin = io.StringIO()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["meridian", *arguments]
    main()
