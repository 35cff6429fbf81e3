from datetime import date

from sqlalchemy import Connection, text

from web.closes.models import Close

_AT = text("SELECT through, closed_by, reason, closed_at FROM ledger_closes WHERE through = :through")
_LATEST = text("SELECT max(through) FROM ledger_closes")
_INSERT = text("""
INSERT INTO ledger_closes (through, closed_by, reason, closed_at) VALUES (:through, :closed_by, :reason, :closed_at)
""")


def at(connection: Connection, through: date) -> Close | None:
    """The close with that last day."""
    row = connection.execute(_AT, {"through": through}).mappings().one_or_none()
    return None if row is None else Close(**row)


def latest(connection: Connection) -> date | None:
    """The last day that is closed."""
    found: date | None = connection.execute(_LATEST).scalar_one()
    return found


def insert(connection: Connection, close: Close) -> None:
    """Close; the database waits for journals under way, and refuses a day that is closed already."""
    values = {"through": close.through, "closed_by": close.closed_by, "reason": close.reason}
    connection.execute(_INSERT, {**values, "closed_at": close.closed_at})
