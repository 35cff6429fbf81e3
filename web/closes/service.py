from datetime import date, datetime

from sqlalchemy import Connection

from regions.region import Region
from web.closes import repository
from web.closes.models import Close
from web.http.problems import ConflictError


def close(
    connection: Connection, region: Region, through: date, person: str, reason: str, now: datetime
) -> tuple[Close, bool]:
    """Close the books through a day; whether that is new. Raises ConflictError for a day that cannot be closed."""
    found = repository.at(connection, through)
    if found is not None:
        return found, False
    if through >= region.accounting_date(now):
        raise ConflictError(f"{through} is not over in {region.timezone}: only whole days of the past can be closed.")
    latest = repository.latest(connection)
    if latest is not None and through < latest:
        raise ConflictError(f"The books are closed through {latest} already.")
    made = Close(through, person, reason, now)
    repository.insert(connection, made)
    return made, True
