"""`python -m web.console.provision --region eu --email … --role … [--merchant merch_…]`, as the role `owner`.

Makes a console user and prints {"user_id", "email", "role", "merchant_id", "password", "totp_uri"}: the password and
the address for an authenticator app this once. A password in CONSOLE_USER_PASSWORD is taken instead and not printed;
for a user that exists it becomes the password, and its sessions end if that or anything else changes. `--new-totp`
enrols a user anew, `--without-totp` lets one in by password alone (a local stack). `--disable` ends a user's access.
CONSOLE_KEY_<REGION> seals the secret of the one-time codes.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from regions.errors import MeridianError, UnavailableError, UsageError
from regions.ids import new_id, region_of
from regions.region import load_region
from web.console.accounts import totp
from web.console.accounts.domain import (
    EMAIL_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    fits,
    hash_password,
    normal_email,
)
from web.console.accounts.models import Role
from web.console.settings import console_key
from web.db.engine import Database

_FIND = text(
    "SELECT id, merchant_id, role, password_hash, disabled_at FROM console_users WHERE email = :email FOR UPDATE"
)
_HAS_MERCHANT = text("SELECT EXISTS (SELECT FROM merchants WHERE id = :id)")
_INSERT = text("""
INSERT INTO console_users (id, merchant_id, email, password_hash, role)
VALUES (:id, :merchant_id, :email, :password_hash, :role)
""")
_UPDATE = text("""
UPDATE console_users SET merchant_id = :merchant_id, password_hash = :password_hash, role = :role, disabled_at = NULL
 WHERE id = :id
""")
_TOTP = text("SELECT email, totp_sealed FROM console_users WHERE id = :id FOR UPDATE")
_SET_TOTP = text("UPDATE console_users SET totp_sealed = :sealed, totp_step = NULL WHERE id = :id")
_DISABLE = text("UPDATE console_users SET disabled_at = now() WHERE id = :id AND disabled_at IS NULL")
_END_SESSIONS = text("DELETE FROM console_sessions WHERE user_id = :id")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('web.console.provision'))")


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """The command: exit code 0, or the error's own and one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m web.console.provision", description="Make a console user.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--email", required=True)
    parser.add_argument("--role", choices=[role.value for role in Role])
    parser.add_argument("--merchant", help="The merchant whose rows the user sees; without it, the region's.")
    parser.add_argument("--without-totp", action="store_true", help="No one-time codes: for a local stack only.")
    parser.add_argument("--new-totp", action="store_true", help="Enrol an authenticator app anew.")
    parser.add_argument("--disable", action="store_true", help="End the user's access.")
    given = parser.parse_args(arguments)
    try:
        made = _provision(given, env)
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(orjson.dumps(made).decode() + "\n")
    return 0


def _provision(given: argparse.Namespace, env: Mapping[str, str]) -> dict[str, Any]:
    region = load_region(given.region)
    database = Database(region.database_url(env), application_name="meridian-provision", pool_size=1)
    try:
        with database.transaction() as connection:
            connection.execute(_LOCK)
            if given.disable:
                return disable(connection, given.email)
            password = env.get("CONSOLE_USER_PASSWORD") or None
            made = provision(connection, region.code, given.email, given.role, given.merchant, password)
            if not given.without_totp:
                made |= enrol(
                    connection, region.code, made["user_id"], console_key(region, env), is_anew=given.new_totp
                )
            return made
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise UnavailableError(f"The database of region {region.code} cannot be reached or refuses: {reason}") from None
    finally:
        database.dispose()


def provision(
    connection: Connection, region: str, email: str, role: str | None, merchant_id: str | None, password: str | None
) -> dict[str, Any]:
    """Make or change a user in the caller's transaction; what is returned has the password only if it was drawn here.

    Raises UsageError for what cannot be, and for a user that exists when no password is given.
    """
    email = _checked(connection, region, email, role, merchant_id, password)
    row = {"merchant_id": merchant_id, "email": email, "role": role}
    found = connection.execute(_FIND, {"email": email}).mappings().one_or_none()
    if found is None:
        drawn = password or secrets.token_urlsafe(18)
        row |= {"id": new_id("user", region), "password_hash": hash_password(drawn)}
        connection.execute(_INSERT, row)
        return _shown(row) | ({} if password else {"password": drawn})
    if password is None:
        raise UsageError("This user exists: give a new password in CONSOLE_USER_PASSWORD to change it.")
    is_same = fits(password, found["password_hash"])
    row |= {"id": found["id"], "password_hash": found["password_hash"] if is_same else hash_password(password)}
    before = (found["merchant_id"], found["role"], found["disabled_at"])
    if not (is_same and before == (merchant_id, role, None)):
        connection.execute(_UPDATE, row)
        connection.execute(_END_SESSIONS, {"id": found["id"]})
    return _shown(row)


def enrol(connection: Connection, region: str, user_id: str, key: bytes, *, is_anew: bool = False) -> dict[str, str]:
    """Make the secret of a user's one-time codes, unless there is one; its address for an app is shown this once."""
    row = connection.execute(_TOTP, {"id": user_id}).mappings().one()
    if row["totp_sealed"] is not None and not is_anew:
        return {}
    secret = totp.new_secret()
    connection.execute(_SET_TOTP, {"id": user_id, "sealed": totp.seal(key, user_id, secret)})
    connection.execute(_END_SESSIONS, {"id": user_id})
    return {"totp_uri": totp.address(secret, row["email"], region)}


def disable(connection: Connection, email: str) -> dict[str, Any]:
    """End a user's access and sessions. Raises UsageError if there is no such user."""
    found = connection.execute(_FIND, {"email": normal_email(email)}).mappings().one_or_none()
    if found is None:
        raise UsageError("There is no console user with this e-mail address.")
    connection.execute(_DISABLE, {"id": found["id"]})
    connection.execute(_END_SESSIONS, {"id": found["id"]})
    return {"user_id": found["id"], "disabled": True}


def _checked(
    connection: Connection, region: str, email: str, role: str | None, merchant_id: str | None, password: str | None
) -> str:
    email = normal_email(email)
    name, _, domain = email.partition("@")
    if not name or not domain or len(email) > EMAIL_LENGTH_MAX or any(char.isspace() for char in email):
        raise UsageError("--email is not an e-mail address.")
    if role is None:
        raise UsageError(f"--role is missing: use one of {', '.join(Role)}.")
    if merchant_id is not None:
        if role == Role.COMPLIANCE:
            raise UsageError("--role compliance is for people of the platform: leave out --merchant.")
        is_known: bool = connection.execute(_HAS_MERCHANT, {"id": merchant_id}).scalar_one()
        if region_of(merchant_id) != region or not is_known:
            raise UsageError(f"--merchant is no merchant of region {region}.")
    if password is not None and not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise UsageError(f"CONSOLE_USER_PASSWORD must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.")
    return email


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"user_id": row["id"], **{name: row[name] for name in ("email", "role", "merchant_id")}}


if __name__ == "__main__":
    sys.exit(main())
