from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from web.console.accounts.models import Account, Credentials, Role

_ADD_FAILURES = text("""
INSERT INTO console_sign_in_failures (kind, key_hash, at)
SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:hashes AS bytea[])), (VALUES (CAST(:now AS timestamptz))) AS moment
RETURNING id
""")
_FORGET_FAILURES = text("DELETE FROM console_sign_in_failures WHERE id = ANY(:ids)")
_FORGET_FAILURES_OF = text("DELETE FROM console_sign_in_failures WHERE kind = :kind AND key_hash = :hash")
_FORGET_OLD_FAILURES = text("DELETE FROM console_sign_in_failures WHERE at < :before")
_COUNT_FAILURES = text("""
SELECT count(*) FROM console_sign_in_failures WHERE kind = :kind AND key_hash = :hash AND at > :since
""")
_CREDENTIALS = text("""
SELECT id, merchant_id, role, email, password_hash, totp_sealed FROM console_users
 WHERE email = :email AND disabled_at IS NULL
""")
# Only ever later, so that a code opens one door once.
_TAKE_STEP = text("UPDATE console_users SET totp_step = :step WHERE id = :id AND coalesce(totp_step, 0) < :step")
_ADD_SESSION = text("""
INSERT INTO console_sessions (token_hash, user_id, created_at, seen_at, expires_at)
VALUES (:hash, :user_id, :now, :now, :expires_at)
""")
_ACCOUNT_OF_SESSION = text("""
SELECT u.id, u.merchant_id, u.role, u.email, s.seen_at
  FROM console_sessions AS s JOIN console_users AS u ON u.id = s.user_id
 WHERE s.token_hash = :hash AND s.expires_at > :now AND s.seen_at > :idle_since AND u.disabled_at IS NULL
""")
_SEEN = text("UPDATE console_sessions SET seen_at = :now WHERE token_hash = :hash")
_END_SESSION = text("DELETE FROM console_sessions WHERE token_hash = :hash")
_END_OLD_SESSIONS = text("DELETE FROM console_sessions WHERE expires_at <= :now OR seen_at <= :idle_since")


def add_failures(connection: Connection, keys: dict[str, bytes], now: datetime) -> list[int]:
    """Count a sign-in as failed against each key; returns what `forget_failures` takes."""
    row = {"kinds": list(keys), "hashes": list(keys.values()), "now": now}
    return list(connection.execute(_ADD_FAILURES, row).scalars())


def forget_failures(connection: Connection, ids: list[int]) -> None:
    """It did not fail after all, or was not tried."""
    connection.execute(_FORGET_FAILURES, {"ids": ids})


def forget_failures_of(connection: Connection, kind: str, key_hash: bytes) -> None:
    """Start counting again."""
    connection.execute(_FORGET_FAILURES_OF, {"kind": kind, "hash": key_hash})


def forget_old_failures(connection: Connection, before: datetime) -> None:
    """Drop what no limit looks at any more."""
    connection.execute(_FORGET_OLD_FAILURES, {"before": before})


def count_failures(connection: Connection, kind: str, key_hash: bytes, since: datetime) -> int:
    """How many sign-ins failed since then."""
    row = {"kind": kind, "hash": key_hash, "since": since}
    return int(connection.execute(_COUNT_FAILURES, row).scalar_one())


def credentials(connection: Connection, email: str) -> Credentials | None:
    """Who signs in with an e-mail address, unless the account was disabled."""
    row = connection.execute(_CREDENTIALS, {"email": email}).mappings().one_or_none()
    return None if row is None else Credentials(_account(row), row["password_hash"], row["totp_sealed"])


def take_step(connection: Connection, user_id: str, step: int) -> bool:
    """Use up a one-time code; False if it, or a later one, was used."""
    return connection.execute(_TAKE_STEP, {"id": user_id, "step": step}).rowcount == 1


def add_session(connection: Connection, token_hash: bytes, user_id: str, now: datetime, expires_at: datetime) -> None:
    """Sign a user in."""
    row = {"hash": token_hash, "user_id": user_id, "now": now, "expires_at": expires_at}
    connection.execute(_ADD_SESSION, row)


def account_of_session(
    connection: Connection, token_hash: bytes, now: datetime, idle_since: datetime
) -> tuple[Account, datetime] | None:
    """Whose session it is, and when it was last used; None if it has ended or never was."""
    row = {"hash": token_hash, "now": now, "idle_since": idle_since}
    found = connection.execute(_ACCOUNT_OF_SESSION, row).mappings().one_or_none()
    return None if found is None else (_account(found), found["seen_at"])


def mark_seen(connection: Connection, token_hash: bytes, now: datetime) -> None:
    """The session is in use."""
    connection.execute(_SEEN, {"hash": token_hash, "now": now})


def end_session(connection: Connection, token_hash: bytes) -> None:
    """Sign out."""
    connection.execute(_END_SESSION, {"hash": token_hash})


def end_old_sessions(connection: Connection, now: datetime, idle_since: datetime) -> None:
    """Drop sessions that nobody can use any more."""
    connection.execute(_END_OLD_SESSIONS, {"now": now, "idle_since": idle_since})


def _account(row: Any) -> Account:
    return Account(row["id"], row["merchant_id"], Role(row["role"]), row["email"])
