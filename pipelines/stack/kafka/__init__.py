"""A real Apache Kafka 4 for one region: KRaft mode, jars by Maven, Java 17; one node, or a cluster of several."""

from pathlib import Path

from pipelines.stack.kafka.apache import ApacheKafka, Member, new_cluster_id

__all__ = ["ApacheKafka", "Member", "command", "new_cluster_id", "prepare"]


def prepare(home: Path) -> None:
    """Fetch the jars once per machine and format the storage below `home`; safe to repeat, data is kept."""
    ApacheKafka(home).prepare()


def command(home: Path, port: int) -> list[str]:
    """The command that runs a prepared broker in the foreground on 127.0.0.1:`port`."""
    return ApacheKafka(home).command(port)
