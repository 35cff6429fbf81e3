"""Fetching, formatting and starting Apache Kafka, alone or as a cluster."""

import base64
import os
import shutil
import subprocess
import tempfile
import uuid
import xml.etree.ElementTree as ET
import zlib
from dataclasses import dataclass
from pathlib import Path

from pipelines.stack.ports import is_free
from regions.errors import ConfigurationError, UnavailableError

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
HEAP_MB = 512
MAVEN_SECONDS_MAX = 600
FORMAT_SECONDS_MAX = 60
# Above the ports that a stack hands out, below those that Linux takes for outgoing connections.
CONTROLLER_PORTS = range(32000, 32768)


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a cluster, broker and controller at once, on 127.0.0.1."""

    node_id: int
    port: int
    controller_port: int


class ApacheKafka:
    """One broker. What it keeps lies in `home`; the jars are shared by all of a user's brokers.

    Alone it is its own controller. With `members`, all nodes of a cluster and `node_id` this one's, it keeps every
    record three times and acknowledges what two have (`min.insync.replicas=2`); all nodes need the same `cluster_id`.
    """

    def __init__(
        self,
        home: Path,
        *,
        heap_mb: int = HEAP_MB,
        node_id: int = 1,
        members: tuple[Member, ...] = (),
        cluster_id: str | None = None,
    ) -> None:
        self.home = home
        self._heap_mb = heap_mb
        self._node_id = node_id
        self._members = members
        self._cluster_id = cluster_id or new_cluster_id()

    @property
    def properties(self) -> Path:
        """The configuration file, written anew by every `command`."""
        return self.home / "server.properties"

    @property
    def data(self) -> Path:
        """Where the log segments are."""
        return self.home / "data"

    def prepare(self) -> None:
        """Jars and formatted storage.

        Raises ConfigurationError when Java or Maven is missing, UnavailableError when one of them fails.
        """
        _require("java", "Apache Kafka needs Java 17: install openjdk-17-jre-headless")
        classpath = _classpath(fetch_jars())
        self.home.mkdir(parents=True, exist_ok=True)
        if (self.data / "meta.properties").exists():
            return
        self._write_properties(9092, 9093)  # formatting listens nowhere
        tool = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classpath, "kafka.tools.StorageTool", "format"]
        options = ["--cluster-id", self._cluster_id, "--config", str(self.properties)]
        _run([*tool, *options], FORMAT_SECONDS_MAX, "Apache Kafka could not format its storage")

    def command(self, port: int) -> list[str]:
        """The command line of the broker on 127.0.0.1:`port`; the controller's port is chosen free."""
        own = next((member.controller_port for member in self._members if member.node_id == self._node_id), None)
        self._write_properties(port, own or _controller_port(self.home))
        return [
            *("java", f"-Xmx{self._heap_mb}m", "-Xms64m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"),
            *("-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}"),
            *("-cp", _classpath(jars_folder()), "kafka.Kafka", str(self.properties)),
        ]

    def _write_properties(self, port: int, controller_port: int) -> None:
        members = self._members or (Member(self._node_id, port, controller_port),)
        copies, in_sync = (str(min(3, len(members))), str(min(2, len(members))))
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(self._node_id),
            "controller.quorum.voters": ",".join(
                f"{member.node_id}@127.0.0.1:{member.controller_port}" for member in members
            ),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"BROKER://127.0.0.1:{port}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "BROKER",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",  # a topic made by accident would have the wrong partitions
            "offsets.topic.num.partitions": "1",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
        }
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def _controller_port(home: Path) -> int:
    """A free port for the controller; each broker starts looking at a place of its own."""
    start = zlib.crc32(str(home.resolve()).encode()) % len(CONTROLLER_PORTS)
    ports: list[int] = [*CONTROLLER_PORTS[start:], *CONTROLLER_PORTS[:start]]
    for port in ports:
        if is_free(port):
            return port
    raise UnavailableError("No free port is left for Apache Kafka's controller")


def jars_folder() -> Path:
    """Where this version's jars are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "meridian" / f"kafka-{_version()}"


def fetch_jars() -> Path:
    """The folder with the jars, fetched by Maven if this machine does not have them yet."""
    folder = jars_folder()
    if folder.exists():
        return folder
    _require("mvn", "Apache Kafka's jars are fetched by Maven: install maven")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        goal = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={staging}"]
        _run(goal, MAVEN_SECONDS_MAX, "Maven could not fetch Apache Kafka's jars")
        try:
            staging.rename(folder)  # whole or not at all, also when two start at once
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _version() -> str:
    pom = ET.parse(POM)  # noqa: S314 - a file of this package
    found = pom.find("{*}dependencies/{*}dependency/{*}version")
    if found is None or not found.text:
        raise ConfigurationError(f"{POM} names no version of Apache Kafka")
    return found.text


def _classpath(folder: Path) -> str:
    return f"{folder}/*"


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes in URL-safe base64 that do not start like an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _require(program: str, sentence: str) -> None:
    if shutil.which(program) is None:
        raise ConfigurationError(f"{sentence}; there is no `{program}` on the PATH")


def _run(arguments: list[str], seconds_max: float, failure: str) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds_max, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{failure}: no end after {seconds_max:.0f} s") from error
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UnavailableError(f"{failure}: {lines[0] if lines else f'exit code {done.returncode}'}")
