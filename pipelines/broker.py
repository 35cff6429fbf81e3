"""Everything about Kafka that relay and ingest share: settings, topics, and what an unreachable broker is called."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from regions import events
from regions.errors import UnavailableError

if TYPE_CHECKING:
    from regions.region import Region

logger = logging.getLogger(__name__)
# librdkafka repeats itself several times a second while a broker is away: our own sentences say it once.
librdkafka_logger = logging.getLogger("librdkafka")
librdkafka_logger.setLevel(logging.CRITICAL)

CREATE_FACTOR = 6  # a broker that has just started takes longer to make a topic than to answer
# What Kafka drops after that time is in the lake or still in the outbox: rows go from there only when every consumer
# has passed them, and a consumer that finds records missing has them sent again.
KEPT_MILLISECONDS = 7 * 86_400_000
COPIES = 3  # of each record, where there are so many brokers
UNROUTED = "unrouted"  # the family of rows whose own family no contract knows: they flow on, into quarantine


class BrokerUnreachableError(UnavailableError):
    """No broker answers at the bootstrap address."""


def client_settings(bootstrap: str, client_id: str) -> dict[str, Any]:
    """Settings of any client. Reconnects stay quick so that a broker that returns is found within a second."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "socket.keepalive.enable": True,
        "broker.address.family": "v4",
        "allow.auto.create.topics": False,  # such a topic has however many partitions the broker likes
        "logger": librdkafka_logger,
        "error_cb": _ignore_transport_errors,
    }


def topic_partitions(region: Region) -> dict[str, int]:
    """The region's topics and how many partitions each has, the one for unrouted rows among them."""
    partitions = {topic: family.partitions for topic, family in events.topics(region.code).items()}
    partitions[unrouted_topic(region)] = 1
    return partitions


def unrouted_topic(region: Region) -> str:
    """Where rows go whose family no contract knows."""
    return f"{region.code}.{UNROUTED}.v1"


def ensure_topics(region: Region, bootstrap: str, timeout_seconds: float = 5.0) -> list[str]:
    """Create the region's missing topics and return their names; safe to repeat and to race.

    A topic with fewer partitions than its contract says grows; more do no harm, for the relay chooses the partition.
    Raises BrokerUnreachableError, and UnavailableError when the broker refuses.
    """
    admin = AdminClient(client_settings(bootstrap, f"meridian-topics-{region.code}"))
    wanted = topic_partitions(region)
    try:
        existing = admin.list_topics(timeout=timeout_seconds).topics
        replication = min(COPIES, max(1, len(admin.list_topics(timeout=timeout_seconds).brokers)))
    except KafkaException as error:
        raise BrokerUnreachableError(unreachable_sentence(region, bootstrap)) from error
    grown = {
        name: partitions
        for name, partitions in wanted.items()
        if name in existing and existing[name].error is None and len(existing[name].partitions) < partitions
    }
    if grown:
        _grow(admin, grown, CREATE_FACTOR * timeout_seconds)
    absent = [name for name in wanted if name not in existing or existing[name].error is not None]
    if absent:
        _create(admin, {name: wanted[name] for name in absent}, replication, CREATE_FACTOR * timeout_seconds)
    return absent


def unreachable_sentence(region: Region, bootstrap: str) -> str:
    """What a person is told when no broker answers."""
    return (
        f"No Kafka broker of region {region.code} answers at {bootstrap}: start it, "
        f"or correct KAFKA_BOOTSTRAP_SERVERS_{region.code.upper()}"
    )


def _create(admin: AdminClient, wanted: Mapping[str, int], replication: int, timeout_seconds: float) -> None:
    # What one broker alone has is not safe, whatever the cluster's own default is.
    config = {"retention.ms": str(KEPT_MILLISECONDS), "cleanup.policy": "delete"}
    if replication >= COPIES:
        config["min.insync.replicas"] = "2"
    topics = [NewTopic(name, partitions, replication, config=config) for name, partitions in wanted.items()]
    for name, future in admin.create_topics(topics, operation_timeout=timeout_seconds).items():
        try:
            future.result(timeout_seconds)
        except TimeoutError as error:
            raise UnavailableError(f"Topic {name} was not created within {timeout_seconds:.0f} s") from error
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise UnavailableError(f"Topic {name} could not be created: {error.args[0].str()}") from error
        else:
            logger.info("topic created", extra={"topic": name})


def _grow(admin: AdminClient, wanted: Mapping[str, int], timeout_seconds: float) -> None:
    growing = admin.create_partitions(
        [NewPartitions(*one) for one in wanted.items()], operation_timeout=timeout_seconds
    )
    for name, future in growing.items():
        try:
            future.result(timeout_seconds)
        except TimeoutError as error:
            raise UnavailableError(f"Topic {name} did not grow within {timeout_seconds:.0f} s") from error
        except KafkaException as error:
            if error.args[0].code() != KafkaError.INVALID_PARTITIONS:  # somebody else was faster: it has as many
                raise UnavailableError(
                    f"Topic {name} could not grow to {wanted[name]} partitions: {error.args[0].str()}"
                ) from error
        else:
            logger.info("topic grown", extra={"topic": name, "partitions": wanted[name]})


def _ignore_transport_errors(error: KafkaError) -> None:
    """Transport errors are not ours to act on: librdkafka reconnects, and work that stays undone is seen elsewhere."""
    logger.debug("broker: %s", error.str())
