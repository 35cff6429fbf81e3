"""Supervisord's event listener, run by it: counts each process's restarts, and revives what it has given up on.

supervisord pauses longer after each failed start and gives up (FATAL) after a few; it starts nothing again from there.
Here nothing is given up: every five seconds a FATAL process gets another round, for ever.

    python -m pipelines.stack.watch RESTARTS_FILE
"""

import contextlib
import json
import os
import sys
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supervisor import childutils

BY_HAND = {"STOPPED"}  # from here a process is started because somebody asked for it: its count begins anew


class Watch:
    """Counts in memory and on disk; the file is replaced whole at each change."""

    def __init__(self, path: Path, supervisor: Any) -> None:
        self._path = path
        self._supervisor = supervisor
        self._counts: dict[str, int] = json.loads(path.read_bytes()) if path.exists() else {}

    def handle(self, event: str, data: Mapping[str, str]) -> None:
        """React to one event."""
        if event == "PROCESS_STATE_STARTING":
            name = data["processname"]
            self._counts[name] = 0 if data["from_state"] in BY_HAND else self._counts.get(name, 0) + 1
            temporary = self._path.with_suffix(".partial")
            temporary.write_text(json.dumps(self._counts))
            temporary.replace(self._path)
        elif event.startswith("TICK"):
            for process in self._supervisor.getAllProcessInfo():
                if process["statename"] == "FATAL":
                    with contextlib.suppress(xmlrpc.client.Fault):  # somebody else started or removed it meanwhile
                        self._supervisor.startProcess(f"{process['group']}:{process['name']}", False)


def main() -> None:
    """Listen until supervisord closes our input."""
    watch = Watch(Path(sys.argv[1]), childutils.getRPCInterface(os.environ).supervisor)
    while True:
        childutils.listener.ready()
        line = sys.stdin.readline()
        if not line:
            return
        headers = childutils.get_headers(line)
        payload = sys.stdin.read(int(headers["len"]))
        watch.handle(headers["eventname"], childutils.get_headers(payload.splitlines()[0]) if payload else {})
        childutils.listener.ok()


if __name__ == "__main__":
    main()
