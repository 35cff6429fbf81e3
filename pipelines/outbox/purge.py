"""Days of the outbox that every consumer has passed go. What may go is decided by the database, not here."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.outbox import repository

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

logger = logging.getLogger(__name__)

IN_USE = "it is in use: try again"  # as outbox_drop_partition says it
PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Purged:
    """What went, and what stayed although its day is over, with the reason."""

    dropped: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    batches: int = 0


def purge(connection: psycopg.Connection, now: datetime, tries: int = 10) -> Purged:
    """Drop every partition that ended before `now` and that nobody needs; safe to repeat at any time.

    A drop waits for nobody longer than 100 ms, because payments wait behind it: so it is tried several times.
    """
    result = Purged()
    for part in repository.partitions(connection):
        if part.is_default or part.end is None or part.end > now:
            continue
        reason = repository.drop_partition(connection, part.name, now)
        for _ in range(tries - 1):
            if reason != IN_USE:
                break
            time.sleep(PAUSE_SECONDS)
            reason = repository.drop_partition(connection, part.name, now)
        if reason is None:
            result.dropped.append(part.name)
            logger.info("partition dropped", extra={"partition": part.name, "bytes": part.bytes})
        else:
            result.kept[part.name] = reason
    result.batches = repository.prune_batches(connection)
    return result
