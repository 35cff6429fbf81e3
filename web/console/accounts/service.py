"""Signing in and out, and whose session it is."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from regions.errors import MeridianError, VaultError
from web.console.accounts import domain, repository, totp
from web.console.accounts.models import Account, Credentials
from web.db.engine import Database

REFUSED = "The e-mail address, the password or the one-time code is wrong."


class SignInRefusedError(MeridianError):
    """No such user, another password or code, or an account that was disabled: whoever asks is not told which."""


class TooManyFailuresError(MeridianError):
    """Too many failed sign-ins with this e-mail address, known or not, or from this network address."""


def sign_in(
    database: Database,
    key: bytes,
    *,
    email: str,
    password: str,
    code: str,
    address: str,
    old_token: str | None,
    now: datetime,
) -> tuple[str, Account]:
    """Check a password and a one-time code, and open a session; returns its new token.

    Three short transactions, because none is open while the password is hashed. The first counts the sign-in as failed
    and commits, so that many at once cannot pass the limit together; the last takes that back. A session that the
    browser brought along ends: nobody's session grows into another's. Raises SignInRefusedError, TooManyFailuresError.
    """
    email = domain.normal_email(email)
    keys = domain.failure_keys(key, email, address)
    with database.transaction() as connection:
        repository.forget_old_failures(connection, now - domain.FAILURES_KEPT)
        failures = repository.add_failures(connection, keys, now)
    found = _look_up(database, keys, failures, email, now)
    is_right = domain.fits(password, found.password_hash if found else _decoy())
    step = _step(key, found, code, now) if found else None
    if found is None or not is_right or step is None:
        raise SignInRefusedError(REFUSED)
    token = domain.new_token()
    with database.transaction() as connection:
        if step and not repository.take_step(connection, found.account.id, step):
            raise SignInRefusedError(REFUSED)
        repository.forget_failures(connection, failures)
        repository.forget_failures_of(connection, "user", keys["user"])
        if old_token:
            repository.end_session(connection, domain.token_hash(old_token))
        repository.end_old_sessions(connection, now, now - domain.IDLE)
        repository.add_session(connection, domain.token_hash(token), found.account.id, now, now + domain.LIFETIME)
    return token, found.account


def _step(key: bytes, found: Credentials, code: str, now: datetime) -> int | None:
    """The step of a right one-time code; 0 for a user who needs none, None for a wrong one."""
    if found.sealed_totp is None:
        return 0
    secret = totp.unseal(key, found.account.id, found.sealed_totp)
    if secret is None:
        raise VaultError("a one-time secret does not open under CONSOLE_KEY: enrol the user anew")
    return totp.step_of(secret, code, now)


def _look_up(
    database: Database, keys: Mapping[str, bytes], failures: list[int], email: str, now: datetime
) -> Credentials | None:
    since = now - domain.FAILURE_WINDOW
    with database.transaction() as connection:
        counts = {kind: repository.count_failures(connection, kind, value, since) for kind, value in keys.items()}
        is_over = any(counts[kind] > limit for kind, limit in domain.FAILURES_MAX.items())
        if is_over:  # it was not tried, so it does not prolong the wait
            repository.forget_failures(connection, failures)
        found = repository.credentials(connection, email)
    if is_over:
        raise TooManyFailuresError("There were too many failed sign-ins. Try again in a quarter of an hour.")
    return found


@cache
def _decoy() -> str:
    return domain.decoy_hash()


def prepare() -> None:
    """Make what the first sign-in would otherwise wait for."""
    _decoy()


def account_of(database: Database, token: str, now: datetime) -> Account | None:
    """Whose session a cookie's token opens; None when it has ended."""
    hashed = domain.token_hash(token)
    with database.transaction() as connection:
        found = repository.account_of_session(connection, hashed, now, now - domain.IDLE)
        if found is None:
            return None
        account, seen_at = found
        if now - seen_at >= domain.SEEN_EVERY:
            repository.mark_seen(connection, hashed, now)
        return account


def sign_out(database: Database, token: str) -> None:
    """End the session."""
    with database.transaction() as connection:
        repository.end_session(connection, domain.token_hash(token))
