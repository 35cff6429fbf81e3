"""The state folder (`$MERIDIAN_STATE`): where everything of one local stack is, and its two JSON files.

`stack.json` is the contract with everybody else: what runs where, with which credentials. `state.json` is the stack's
own memory: chosen ports and generated secrets, so that a second `up` finds what the first one made.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pipelines.stack.errors import StackError, StackUsageError

SOCKET_PATH_MAX = 85  # Linux allows 107 bytes; supervisord appends its process id to a temporary name
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
# Other users may pass through the state folder itself, but not list it: as root, PostgreSQL's data below it belongs to
# a user of its own. Everything below is private to its owner.
PASS_THROUGH = 0o711
DEFAULT = ".meridian"


def state_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The state folder: `$MERIDIAN_STATE`, else `.meridian` in the current folder."""
    return Path(environment.get("MERIDIAN_STATE") or DEFAULT).absolute()


class StateFolder:
    """Names in one state folder. Making the object touches nothing; `prepare` makes the folders."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.stack_file = self.path / "stack.json"
        self.memory_file = self.path / "state.json"
        self.config_file = self.path / "supervisord.conf"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.pid_file = self.run / "supervisord.pid"
        self.restarts_file = self.run / "restarts.json"
        self.socket = self._socket()

    def _socket(self) -> Path:
        socket = self.run / "supervisor.sock"
        if len(os.fsencode(socket)) <= SOCKET_PATH_MAX:
            return socket
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"meridian-{os.getuid()}-{name}" / "supervisor.sock"

    def log_file(self, process: str) -> Path:
        """Where a process's standard output and error go; older parts end in .1, .2, .3."""
        return self.logs / f"{process}.log"

    def prepare(self) -> None:
        """Make the folders, private. Raises StackUsageError if that is not possible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=PASS_THROUGH)
            self.path.chmod(PASS_THROUGH if os.geteuid() == 0 else PRIVATE_FOLDER)
            for folder in (self.logs, self.run, self.socket.parent):
                folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        except OSError as error:
            raise StackUsageError(f"The state folder {self.path} cannot be made: {error.strerror}.") from error
        owner = self.socket.parent.stat()
        if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
            raise StackUsageError(f"The folder {self.socket.parent} is not private to you; remove it.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one `up`, `down` or `region init`; a second one is refused at once."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError(f"Another meridian command is changing the stack in {self.path}.") from error
            yield

    def read_stack(self) -> dict[str, Any] | None:
        """stack.json, or None if no `up` has completed here."""
        return read_json(self.stack_file)

    def read_memory(self) -> dict[str, Any]:
        """state.json; an empty memory if there is none."""
        return read_json(self.memory_file) or {}


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file. Raises StackUsageError for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StackUsageError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise StackUsageError(f"{path} does not hold a JSON object.")
    return cast("dict[str, Any]", content)


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner only; a crash leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """`write_private` for a JSON object."""
    write_private(path, json.dumps(content, indent=2) + "\n")
