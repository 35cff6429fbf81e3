from collections.abc import Mapping
from typing import Any

import orjson

from regions.events import event_type, validate_data
from web.db.scope import Scope
from web.outbox import repository
from web.outbox.repository import Appended


def append(
    scope: Scope, name: str, subject: str, data: Mapping[str, Any], pii: Mapping[str, Any] | None = None
) -> Appended:
    """Put an event into the outbox, in the scope's transaction.

    `subject` is the id of the object that the event is about. `data` is checked against the event's contract:
    EventContractError names the wrong field. `pii` is what `Vault.seal_json` returned, never plain.
    """
    return repository.append(scope, parameters(scope, name, subject, data, pii))


def append_first(scope: Scope, name: str, data: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the first events of objects into the outbox, by the objects' ids, in one statement however many they are.

    The scope's transaction has made these objects. Raises EventContractError.
    """
    for each in data.values():
        validate_data(name, each)
    found = event_type(name)
    told = orjson.dumps([{"subject": subject, "data": each} for subject, each in data.items()])
    repository.append_first(scope, name, found.family, found.version, told.decode())


def parameters(
    scope: Scope, name: str, subject: str, data: Mapping[str, Any], pii: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The checked parameters of an event, for `repository.APPEND_TO_MADE` too."""
    validate_data(name, data)
    found = event_type(name)
    return {
        "event_type": name,
        "event_family": found.family,
        "event_subject": subject,
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "event_schema_version": found.version,
        "correlation_id": scope.correlation_id,
        "event_data": orjson.dumps(data).decode(),
        "event_pii": None if pii is None else orjson.dumps(pii).decode(),
    }
