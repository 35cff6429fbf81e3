"""What every folder of builds has: one writer, files that never change, a pointer for readers. See ADR 0016."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from regions.errors import MeridianError
from regions.files import sync_folder

POINTER: Final = "current"
PARTS: Final = "parts"  # the folder of partition files


class WarehouseBusyError(MeridianError):
    """Another job writes this warehouse."""


def build_path(folder: Path, number: int) -> Path:
    """The file of a build."""
    return folder / f"build-{number}.duckdb"


def published_number(folder: Path) -> int | None:
    """The number of the build that readers see."""
    try:
        name = (folder / POINTER).readlink().name
    except FileNotFoundError:
        return None
    return int(name.removeprefix("build-").removesuffix(".duckdb"))


def switch(folder: Path, number: int) -> None:
    """Make a build read-only and let readers see it: one rename."""
    path = build_path(folder, number)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.chmod(0o444)
    staged = folder / f".{POINTER}.new"
    staged.unlink(missing_ok=True)
    staged.symlink_to(path.name)
    staged.replace(folder / POINTER)
    sync_folder(folder)


@contextmanager
def one_writer(folder: Path, name: str) -> Iterator[None]:
    """Hold the folder's writer's lock. Raises WarehouseBusyError if another job has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseBusyError(
                f"Another job is writing the warehouse of {name}: wait until it is done"
            ) from error
        yield
