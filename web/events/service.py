from uuid import UUID

from regions.ids import InvalidIdError, parse_id
from web.db.scope import Scope
from web.events import repository
from web.events.models import Event
from web.events.schemas import ListEvents
from web.http.problems import FieldError, InvalidFieldsError, NotFoundError


def get(scope: Scope, event_id: str) -> Event:
    """One event of the merchant, by its id; raises NotFoundError."""
    uuid = _uuid_of(event_id)
    event = None if uuid is None else repository.get(scope, uuid)
    if event is None:
        raise NotFoundError("There is no such event.")
    return event


def page(scope: Scope, asked: ListEvents) -> tuple[list[Event], bool]:
    """A page of the merchant's events, newest first, and whether there are more.

    Raises InvalidFieldsError for a cursor that names no event of the merchant's.
    """
    given = asked.ending_before or asked.starting_after
    uuid = None if given is None else _uuid_of(given)
    if given is not None and (uuid is None or repository.get(scope, uuid) is None):
        name = "ending_before" if asked.ending_before else "starting_after"
        raise InvalidFieldsError([FieldError(f"?{name}", "names nothing in this list")])
    return repository.page(scope, asked, uuid)


def _uuid_of(event_id: str) -> UUID | None:
    try:
        found = parse_id(event_id)
    except InvalidIdError:
        return None
    return found.uuid if found.kind == "event" else None
