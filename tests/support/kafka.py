"""A real Apache Kafka for tests and benchmarks: one node or three, to be killed, stopped, resumed and wiped."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.stack.kafka import ApacheKafka, Member, new_cluster_id
from tests.support.stream import await_that, free_port, is_answering

HEAP_MB = 256  # three nodes beside everything else that a test run starts


@dataclass
class KafkaCluster:
    """Nodes 1 to n, each in a folder of its own, on one port for life."""

    folder: Path
    size: int
    heap_mb: int = HEAP_MB
    _nodes: dict[int, ApacheKafka] = field(default_factory=dict)
    _ports: dict[int, int] = field(default_factory=dict)
    _processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def prepare(self) -> None:
        members = tuple(Member(number, free_port(), free_port()) for number in range(1, self.size + 1))
        cluster_id = new_cluster_id()
        for member in members:
            home = self.folder / f"kafka-{member.node_id}"
            node = ApacheKafka(
                home, heap_mb=self.heap_mb, node_id=member.node_id, members=members, cluster_id=cluster_id
            )
            node.prepare()
            node.prepare()  # safe to repeat
            shutil.copytree(node.data, home / "formatted")
            self._nodes[member.node_id], self._ports[member.node_id] = node, member.port

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    @property
    def alive(self) -> list[int]:
        return sorted(self._processes)

    def start(self, *numbers: int) -> None:
        """Start these nodes (all, unless told) and wait until they answer."""
        for number in numbers or tuple(self._nodes):
            with (self._nodes[number].home / "kafka.log").open("ab") as log:
                self._processes[number] = subprocess.Popen(
                    self._nodes[number].command(self._ports[number]), stdout=log, stderr=log
                )
        for number in numbers or tuple(self._nodes):
            address = f"127.0.0.1:{self._ports[number]}"
            await_that(f"Kafka node {number} answers", lambda address=address: is_answering(address))

    def kill(self, *numbers: int) -> None:
        """SIGKILL, at once for all of them (all, unless told)."""
        for number in numbers or tuple(self.alive):
            self._processes[number].kill()
        for number in numbers or tuple(self.alive):
            self._processes.pop(number).wait()

    def pause(self, *numbers: int) -> None:
        """SIGSTOP: the node keeps its connections and answers nothing."""
        for number in numbers:
            self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, *numbers: int) -> None:
        for number in numbers:
            self._processes[number].send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Every node dies and loses all that it had; what starts again is empty."""
        self.kill()
        for node in self._nodes.values():
            shutil.rmtree(node.data)
            shutil.copytree(node.home / "formatted", node.data)
        self.start()


@contextmanager
def running_kafka(folder: Path, size: int = 3, heap_mb: int = HEAP_MB) -> Iterator[KafkaCluster]:
    """A cluster of that many nodes, gone at the end."""
    cluster = KafkaCluster(folder, size, heap_mb)
    cluster.prepare()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.resume(*cluster.alive)
        cluster.kill()
