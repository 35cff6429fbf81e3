import contextlib
import os
import time
from pathlib import Path
from typing import TextIO

from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder

POLL_S = 0.2


def show(state: StateFolder, name: str, *, lines: int, follow: bool, output: TextIO) -> None:
    """Write the last `lines` lines of a process's log, then, with `follow`, what is added until Ctrl-C."""
    path = state.log_file(name)
    known = sorted(file.stem for file in state.logs.glob("*.log"))
    if name not in known:
        there = f"there are {', '.join(known)}" if known else f"no stack has run in {state.path}"
        raise StackUsageError(f"There is no log of {name!r}: {there}.")
    with path.open("rb") as file:
        content, inode = file.read(), os.fstat(file.fileno()).st_ino
    shown = content.decode(errors="replace").splitlines(keepends=True)
    output.writelines(shown[len(shown) - min(lines, len(shown)) :])
    output.flush()
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(path, inode, len(content), output)


def _follow(path: Path, inode: int, position: int, output: TextIO) -> None:
    """Copy what is added. A file that shrinks, or is another one by that name, has been rotated: begin at its start."""
    while True:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            now = os.fstat(file.fileno())
            if now.st_ino != inode or now.st_size < position:
                inode, position = now.st_ino, 0
            file.seek(position)
            added = file.read()
            position += len(added)
            output.write(added.decode(errors="replace"))
            output.flush()
        time.sleep(POLL_S)
