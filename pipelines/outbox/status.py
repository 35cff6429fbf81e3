"""The outbox at a glance, for people and for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.outbox import repository
from pipelines.positions import missing, parse_positions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import psycopg

# Metric, its help, and the key of `read_status` that it shows.
_METRICS = (
    ("meridian_relay_lag_events", "Committed events that Kafka has not acknowledged.", "unsent_events"),
    ("meridian_relay_lag_seconds", "Age of the oldest such event.", "oldest_unsent_seconds"),
    ("meridian_relay_epoch", "The relay's epoch.", "epoch"),
    ("meridian_relay_batch", "The last batch that was acknowledged whole.", "batch"),
    ("meridian_outbox_bytes", "Size of the outbox with its indexes.", "bytes"),
    ("meridian_outbox_partitions", "Partitions of the outbox.", "partitions"),
    ("meridian_outbox_default_rows", "Events outside every day's partition. Alarm above 0.", "default_rows"),
    ("meridian_outbox_days_ahead", "Days that have a partition already. Alarm below 1.", "days_ahead"),
)


def read_status(connection: psycopg.Connection, now: datetime) -> dict[str, Any]:
    """Relay, partitions and consumers of a region."""
    lag = repository.relay_lag(connection)
    days = [part for part in repository.partitions(connection) if not part.is_default]
    needed = repository.needed_from(connection)
    newest = max((part.end for part in days if part.end is not None), default=now)
    return {
        "epoch": lag.epoch,
        "batch": lag.batch,
        "unsent_events": lag.events,
        "oldest_unsent_seconds": round(max(0.0, lag.seconds), 3),
        "bytes": sum(part.bytes for part in days),
        "partitions": len(days),
        "oldest_partition": days[0].name if days else None,
        "default_rows": repository.default_rows(connection),
        "days_ahead": max(0, (newest - now).days),
        "needed_from": None if needed is None else f"{needed.epoch}:{needed.batch} by {needed.consumer}",
        "consumers": {
            one.name: {
                "window_seconds": one.window_seconds,
                "partitions_behind": 0
                if one.window_seconds is not None
                else len(missing(parse_positions(lag.partitions), parse_positions(one.positions))),
                "rewind_to": one.rewind_to,
            }
            for one in repository.consumers(connection)
        },
    }


def prometheus(region: str, status: Mapping[str, Any]) -> str:
    """The status in Prometheus' text exposition format 0.0.4."""
    lines = []
    for name, text, key in _METRICS:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f'{name}{{region="{region}"}} {status[key]}']
    name = "meridian_consumer_partitions_behind"
    lines += [f"# HELP {name} Partitions in which a consumer is behind the relay.", f"# TYPE {name} gauge"]
    for consumer, found in status["consumers"].items():
        lines.append(f'{name}{{region="{region}",consumer="{consumer}"}} {found["partitions_behind"]}')
    return "\n".join(lines) + "\n"
