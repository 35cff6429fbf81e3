"""Retention's own records in the region's PostgreSQL: plans, approvals, steps, holds. Every statement is here."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.errors import CheckViolation, ForeignKeyViolation
from psycopg.types.json import Jsonb

from pipelines.retention.document import Plan
from regions.errors import MeridianError, UsageError

if TYPE_CHECKING:
    import psycopg

_COLUMNS = "hash, document, status, approved_by, approved_at, started_at, done_at, search, certificate"


class Stored(NamedTuple):
    """A plan as it stands."""

    hash: bytes
    text: str
    status: str
    approved_by: str | None
    approved_at: datetime | None
    started_at: datetime | None
    done_at: datetime | None
    search: bytes | None
    certificate: dict[str, Any] | None

    @property
    def day(self) -> date:
        """The date that the plan is for."""
        return date.fromisoformat(self.plan.document["date"])

    @property
    def plan(self) -> Plan:
        """The plan itself. Raises PlanAlteredError."""
        return Plan.load(self.text, self.hash)


class HoldError(UsageError):
    """A hold that cannot be placed or released."""


def keep(connection: psycopg.Connection, plan: Plan, day: date) -> None:
    """Store a plan; the same plan again changes nothing."""
    connection.execute(
        "INSERT INTO retention_plans (hash, plan_date, document) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (plan.hash, day, plan.text),
    )


def latest(connection: psycopg.Connection, region: str, day: date, prefix: str | None = None) -> Stored:
    """The last plan of a date, or the one whose hash begins with `prefix`. Raises UsageError when there is none."""
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM retention_plans
             WHERE plan_date = %s AND encode(hash, 'hex') LIKE %s || '%%' ORDER BY planned_at DESC LIMIT 1""",  # noqa: S608
        (day, prefix or ""),
    ).fetchone()
    if row is None:
        which = f" whose hash begins with {prefix}" if prefix else ""
        raise UsageError(f"There is no plan of {region} for {day}{which}: run `meridian retention plan` first")
    return Stored(*row)


def running(connection: psycopg.Connection) -> Stored | None:
    """The plan that was begun and not finished, if there is one."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM retention_plans WHERE status = 'running' ORDER BY started_at LIMIT 1"  # noqa: S608
    ).fetchone()
    return None if row is None else Stored(*row)


def approved(connection: psycopg.Connection) -> Stored | None:
    """The plan to run: one that was begun, else the last one approved, unless a later approval was run already."""
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM retention_plans AS plan
             WHERE status = 'running' OR (status = 'approved' AND NOT EXISTS (
                   SELECT FROM retention_plans AS later
                    WHERE later.status = 'done' AND later.approved_at > plan.approved_at))
             ORDER BY status = 'running' DESC, approved_at DESC LIMIT 1"""  # noqa: S608
    ).fetchone()
    return None if row is None else Stored(*row)


def uncertified(connection: psycopg.Connection) -> list[Stored]:
    """The plans that are done and have no certificate yet, in the order in which they were done."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM retention_plans WHERE status = 'done' AND certificate IS NULL ORDER BY done_at"  # noqa: S608
    ).fetchall()
    return [Stored(*row) for row in rows]


def approve(connection: psycopg.Connection, name: bytes, person: str) -> None:
    """Record who approved; an approval is given once."""
    connection.execute(
        """UPDATE retention_plans SET status = 'approved', approved_by = %s, approved_at = clock_timestamp()
            WHERE hash = %s AND status = 'planned'""",
        (person, name),
    )


def begin(connection: psycopg.Connection, name: bytes, search: bytes) -> None:
    """An approved plan is being run from now on; `search` is what verification will look for, encrypted."""
    connection.execute(
        """UPDATE retention_plans SET status = 'running', started_at = clock_timestamp(), search = %s
            WHERE hash = %s AND status = 'approved'""",
        (search, name),
    )


def leave(connection: psycopg.Connection, name: bytes) -> None:
    """Nothing of the plan was done: it is as if it had not been begun."""
    connection.execute(
        "UPDATE retention_plans SET status = 'approved', started_at = NULL, search = NULL WHERE hash = %s", (name,)
    )


def finish(connection: psycopg.Connection, name: bytes) -> None:
    """Every step of the plan is done: requests of whom nothing is left are closed."""
    connection.execute(
        """UPDATE retention_plans SET status = 'done', done_at = clock_timestamp()
            WHERE hash = %s AND status = 'running'""",
        (name,),
    )


def close_requests(connection: psycopg.Connection, name: bytes, subjects: list[str]) -> None:
    """The requests of these subjects are fulfilled."""
    connection.execute(
        """UPDATE erasure_requests SET status = 'done', closed_at = clock_timestamp(), closed_by = %s
            WHERE status = 'open' AND subject_id = ANY(%s)""",
        (name, subjects),
    )


def certify(connection: psycopg.Connection, name: bytes, certificate: dict[str, Any]) -> None:
    """Keep the certificate with its plan, and forget what was searched for."""
    connection.execute(
        "UPDATE retention_plans SET certificate = %s, search = NULL WHERE hash = %s", (Jsonb(certificate), name)
    )


def evidence(connection: psycopg.Connection, name: bytes) -> dict[str, Any]:
    """The evidence of the steps that are done, by step."""
    return dict(
        connection.execute("SELECT step, evidence FROM retention_steps WHERE plan_hash = %s", (name,)).fetchall()
    )


def record(connection: psycopg.Connection, name: bytes, step: str, found: Any) -> None:
    """Record a step as done; the first time stands."""
    connection.execute(
        """INSERT INTO retention_steps (plan_hash, step, evidence) VALUES (%s, %s, %s)
           ON CONFLICT (plan_hash, step) DO NOTHING""",
        (name, step, Jsonb(found, dumps=_dumps)),
    )


def add_hold(
    connection: psycopg.Connection,
    hold_id: str,
    *,
    subject: str | None,
    merchant: str | None,
    data_class: str | None,
    reason: str,
    person: str,
) -> None:
    """Place a hold. Raises HoldError for a subject or merchant that does not exist."""
    try:
        connection.execute(
            """INSERT INTO legal_holds (id, subject_id, merchant_id, data_class, reason, placed_by)
               VALUES (%s, %s, %s, %s, %s, %s)""",
            (hold_id, subject, merchant, data_class, reason, person),
        )
    except ForeignKeyViolation:
        raise HoldError(f"There is no {'subject ' + subject if subject else f'merchant {merchant}'}") from None
    except CheckViolation:
        raise HoldError("A hold needs a reason and a person, and covers a subject or a merchant, not both") from None


def release_hold(connection: psycopg.Connection, hold_id: str, person: str) -> None:
    """Release a hold. Raises HoldError unless it is in force."""
    done = connection.execute(
        """UPDATE legal_holds SET released_by = %s, released_at = clock_timestamp()
            WHERE id = %s AND released_at IS NULL""",
        (person, hold_id),
    )
    if not done.rowcount:
        raise HoldError(f"There is no hold {hold_id} in force: see `meridian retention hold list`")


def list_holds(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Every hold, the oldest first."""
    return connection.execute(
        """SELECT id, coalesce(subject_id, merchant_id, 'the region'), coalesce(data_class, 'everything'), reason,
                  placed_by, placed_at, released_by, released_at FROM legal_holds ORDER BY placed_at, id"""
    ).fetchall()


def _dumps(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


class StalePlanError(MeridianError):
    """What the plan was made from has changed."""


def overview(connection: psycopg.Connection) -> dict[str, Any]:
    """Open requests, and every plan, the newest first."""
    requests = connection.execute(
        "SELECT id, subject_id, status, received_at FROM erasure_requests WHERE status = 'open' ORDER BY received_at"
    ).fetchall()
    plans = connection.execute(
        """SELECT hash, plan_date, status, approved_by, certificate IS NOT NULL FROM retention_plans
            ORDER BY planned_at DESC"""
    ).fetchall()
    return {
        "requests": [
            {"id": found, "subject": subject, "status": status, "received_at": at.isoformat()}
            for found, subject, status, at in requests
        ],
        "plans": [
            {
                "hash": name.hex(),
                "date": day.isoformat(),
                "status": status,
                "approved_by": by,
                "is_certified": certified,
            }
            for name, day, status, by, certified in plans
        ],
    }
