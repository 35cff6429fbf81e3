"""Stopping a stack, and removing what it left."""

import shutil

from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder
from pipelines.stack.status import is_up
from pipelines.stack.supervisor import Supervisor, end_orphans

INFRASTRUCTURE = ("postgres-", "kafka-")


def take_down(state: StateFolder) -> int:
    """Stop every process: services first, then brokers and databases. Returns how many were stopped; data stays."""
    if not state.path.exists():
        return 0
    state.prepare()
    with state.locked():
        supervisor = Supervisor(state)
        if not supervisor.is_running():
            return end_orphans(state)
        names = [name for name, process in supervisor.processes().items() if is_up(process)]
        supervisor.stop_all([name for name in names if not name.startswith(INFRASTRUCTURE)])
        supervisor.stop_all([name for name in names if name.startswith(INFRASTRUCTURE)])
        supervisor.shutdown()
        end_orphans(state)  # a job that Airflow had started is in a session of its own
        return len(names)


def purge(state: StateFolder) -> None:
    """Remove the state folder of a stopped stack: databases, lake, keys, everything."""
    if not state.path.exists():
        return
    if not state.memory_file.exists():
        raise StackUsageError(f"{state.path} holds no stack, so nothing in it is removed.")
    if not state.socket.is_relative_to(state.path):
        shutil.rmtree(state.socket.parent, ignore_errors=True)
    shutil.rmtree(state.path)
