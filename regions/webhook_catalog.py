"""What merchants' endpoints may be sent, in which version, and how an event looks there. Checked whole at import.

The catalogue is `contracts/webhooks.toml`. What is sent never holds a field of class `pii`, sealed or not.
"""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import orjson

from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.events import event_type, registry, timestamp
from regions.ids import id_of_uuid

TEST_TYPE: Final = "webhook.test"  # what the test button sends; it is about no object
EVERYTHING: Final = "*"
_FILTER: Final = re.compile(r"\*|[a-z][a-z0-9_]*\.(?:\*|[a-z][a-z0-9_.]*)")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Offered types, the reasons for the others, and each API version's pins, the oldest version first."""

    offered: frozenset[str]
    withheld: Mapping[str, str]
    versions: Mapping[str, Mapping[str, int]]

    @property
    def current(self) -> str:
        """The newest API version."""
        return list(self.versions)[-1]


def load_catalog(path: Path, known: Collection[str]) -> Catalog:
    """Read the file; ConfigurationError for a type that it does not name, names twice, or that is none."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        offered, withheld = document["offered"]["types"], document["withheld"]
        versions = {name: MappingProxyType(dict(found["pins"])) for name, found in document["versions"].items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: the catalogue of webhooks cannot be read ({error})") from error
    named = [*offered, *withheld]
    for name in sorted({*known} ^ {*named}):
        what = "is neither offered nor withheld" if name in known else "is no type of event"
        raise ConfigurationError(f"{path}: {name} {what}")
    if len(named) != len(set(named)):
        raise ConfigurationError(f"{path}: a type is named twice")
    if not versions or list(versions) != sorted(versions):
        raise ConfigurationError(f"{path}: the versions must be there, the oldest first")
    return Catalog(frozenset(offered), MappingProxyType(withheld), MappingProxyType(versions))


CATALOG: Final = load_catalog(CONTRACTS / "webhooks.toml", registry())


def check_filter(text: str) -> str | None:
    """Why an endpoint cannot ask for this, or None: a type, a family of types (`payment.*`), or `*`."""
    if not _FILTER.fullmatch(text):
        return "must be a type of event, such as payment.succeeded, or payment.* or *"
    if text in CATALOG.withheld:
        return f"is not sent to endpoints: {CATALOG.withheld[text]}"
    if not any(matches([text], name) for name in CATALOG.offered):
        return "names no type of event"
    return None


def matches(filters: Sequence[str], name: str) -> bool:
    """Whether an endpoint with these filters wants events of that type."""
    return name in filters or EVERYTHING in filters or f"{name.partition('.')[0]}.*" in filters


def event_name(region: str, event_id: UUID) -> str:
    """The event's id as merchants see it: `evt_eu_…`; also the `webhook-id` of each try."""
    return id_of_uuid("event", region, event_id)


def render(
    *,
    region: str,
    event_id: UUID,
    name: str,
    time: datetime,
    livemode: bool,
    object_id: str,
    sequence: int,
    schema_version: int,
    data: str,
    api_version: str,
) -> bytes:
    """The body: the same bytes for every try. `data` is JSON text that `public_data` has been over."""
    return orjson.dumps(
        {
            "id": event_name(region, event_id),
            "type": name,
            "timestamp": timestamp(time),
            "api_version": api_version,
            "region": region,
            "livemode": livemode,
            "object_id": object_id,
            "sequence": sequence,
            "data": _pinned(name, schema_version, data, api_version),
        }
    )


def _pinned(name: str, schema_version: int, data: str, api_version: str) -> Any:
    """The data as the endpoint's version knows it: later fields are left out, nothing is made up."""
    pin = CATALOG.versions.get(api_version, {}).get(name)
    if pin is None or pin >= schema_version:
        return orjson.Fragment(data)
    known = event_type(name, pin).schema["properties"]
    return {field: value for field, value in orjson.loads(data).items() if field in known}
