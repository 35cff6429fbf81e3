"""A real Apache Kafka 4 for one region: one node, KRaft mode, jars by Maven, Java 17."""

from pathlib import Path

from pipelines.stack.kafka.apache import ApacheKafka

__all__ = ["ApacheKafka", "command", "prepare"]


def prepare(home: Path) -> None:
    """Fetch the jars once per machine and format the storage below `home`; safe to repeat, data is kept."""
    ApacheKafka(home).prepare()


def command(home: Path, port: int) -> list[str]:
    """The command that runs a prepared broker in the foreground on 127.0.0.1:`port`."""
    return ApacheKafka(home).command(port)
