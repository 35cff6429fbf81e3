"""Every record that the region's topics hold. What is found there remains until the topics' own retention."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from pipelines.retention.search.needles import Needles, Searched

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_MAX = 300.0


def search(bootstrap: str, region: str, needles: Needles) -> Searched:
    """Search keys, values and headers of every record. Raises KafkaException if the broker does not answer."""
    searched = Searched("kafka")
    for record in records(bootstrap, region):
        searched.count("records")
        parts = (record.key(), record.value(), *(value for _, value in record.headers() or []))
        if any(needles.are_in(part) for part in parts):
            place = f"topic {record.topic()}"
            if place not in searched.remains:
                searched.remains.append(place)
            searched.count("records that hold something")
    return searched


def records(bootstrap: str, region: str) -> Iterator[Any]:
    """All records of the region's topics, from the first to the last."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"meridian-retention-{region}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        topics = consumer.list_topics(timeout=10).topics
        partitions = [
            TopicPartition(name, number, OFFSET_BEGINNING)
            for name, topic in topics.items()
            if name.startswith(f"{region}.")
            for number in topic.partitions
        ]
        consumer.assign(partitions)
        left = {(partition.topic, partition.partition) for partition in partitions}
        deadline = time.monotonic() + SECONDS_MAX
        while left and time.monotonic() < deadline:
            record = consumer.poll(1.0)
            if record is None:
                continue
            error = record.error()
            if error is None:
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name in the library
                left.discard((record.topic() or "", record.partition() or 0))
            else:
                raise KafkaException(error)
        if left:
            raise KafkaException(f"the end of {len(left)} partitions was not reached")
    finally:
        consumer.close()
