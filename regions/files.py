"""Files that appear whole or not at all, and survive a crash once they have appeared."""

import os
import secrets
from pathlib import Path


def create_once(path: Path, content: bytes, mode: int = 0o600) -> bool:
    """Create the file whole, unless it exists; False when another process was first."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(staged, path)
        except FileExistsError:
            return False
    finally:
        staged.unlink()
    sync_folder(path.parent)
    return True


def make_folder(folder: Path, within: Path) -> None:
    """Make a private folder and those above it, down from `within`, durably; what exists is left as it is."""
    within.mkdir(mode=0o700, parents=True, exist_ok=True)
    chain = [folder, *folder.parents]
    for missing in reversed(chain[: chain.index(within)]):
        try:
            missing.mkdir(mode=0o700)
        except FileExistsError:
            continue
        sync_folder(missing.parent)


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
