"""What a job is in the process that was forked for it. The fork server imports this before anything else.

The server runs no script, and DuckDB takes a process without one for somebody's session: it would draw a progress bar
into the output of a query that takes long. So the server says what it runs.
"""

import io
import os
import sys
from pathlib import Path

OUT, ERR, CODE = "out", "err", "code"

if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


def be_the_command(arguments: tuple[str, ...], environment: dict[str, str], cwd: str, folder: str) -> None:
    """Run `meridian` with these arguments, so and there. Its output, errors and exit code go into the folder.

    The code is written down because `Process.exitcode` is not for threads: each `start` asks after every child, and
    whoever asks second about one that has just ended hears 255.
    """
    from pipelines.cli import main

    for number, name in ((1, OUT), (2, ERR)):
        with (Path(folder) / name).open("w") as file:
            os.dup2(file.fileno(), number)
    sys.stdin = io.StringIO()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["meridian", *arguments]
    try:
        main()
    except SystemExit as end:
        (Path(folder) / CODE).write_text(str(end.code or 0))
        raise
