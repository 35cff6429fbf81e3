from datetime import datetime

from sqlalchemy import Connection

from regions.errors import ConfigurationError, UsageError
from regions.events import timestamp
from regions.ids import is_live_key, new_id, new_secret, region_of_key
from regions.region import Region
from web.clock import utc_now
from web.db.scope import Scope
from web.http.versions import LATEST
from web.merchants import repository
from web.merchants.domain import hash_key, shown_prefix
from web.merchants.models import Merchant
from web.outbox import service as outbox

COUNTRY_LENGTH = 2


def provision(
    connection: Connection,
    region: Region,
    pepper: bytes,
    *,
    name: str,
    country: str,
    secret_key: str | None,
    settlement_currency: str | None = None,
) -> tuple[str, str]:
    """Make a merchant with an API key in the caller's transaction; returns the merchant's id and the secret key.

    It is paid out in `settlement_currency`, the region's first unless it declares another. With a `secret_key` that
    exists already its merchant is returned; only a `settlement_currency` that differs is changed. Both are events.
    Raises UsageError for a name, country, currency or key that cannot be.
    """
    if not name.strip():
        raise UsageError("A merchant needs a name.")
    if not (len(country) == COUNTRY_LENGTH and country.isascii() and country.isalpha() and country.isupper()):
        raise UsageError("A merchant's country is two capital letters, such as DE (ISO 3166-1).")
    if settlement_currency is not None and settlement_currency not in region.currencies:
        raise UsageError(
            f"--settlement-currency is {settlement_currency!r}: region {region.code} pays out in "
            f"{', '.join(region.currencies)}."
        )
    if secret_key is None:
        secret_key = new_secret(region.code, livemode=False)
    elif region_of_key(secret_key) != region.code:
        raise ConfigurationError(
            f"The secret key is not an API key of region {region.code}: it starts with mk_test_{region.code}_."
        )
    key_hash = hash_key(pepper, secret_key)
    repository.lock_provisioning(connection)
    found = repository.merchant_of_key(connection, key_hash)
    if found is not None:
        if settlement_currency is not None:
            _declare(_scope(connection, region, found, secret_key), settlement_currency)
        return found, secret_key
    merchant = Merchant(new_id("merchant", region.code), name, country, settlement_currency or region.currencies[0])
    scope = _scope(connection, region, merchant.id, secret_key)
    repository.insert_merchant(connection, merchant, scope.now)
    repository.insert_key(
        connection,
        key_id=new_id("key", region.code),
        merchant_id=merchant.id,
        livemode=is_live_key(secret_key),
        key_hash=key_hash,
        prefix=shown_prefix(secret_key),
        api_version=LATEST,
    )
    _tell(scope, "created", country, merchant.settlement_currency)
    return merchant.id, secret_key


def close(connection: Connection, merchant_id: str, now: datetime) -> str:
    """End the relationship with a merchant and revoke its keys; returns since when. UsageError for no such merchant."""
    closed_at = repository.close(connection, merchant_id, now)
    if closed_at is None:
        raise UsageError(f"There is no merchant {merchant_id}.")
    return timestamp(closed_at)


def _declare(scope: Scope, currency: str) -> None:
    country = repository.set_currency(scope.connection, scope.merchant_id, currency)
    if country is not None:
        _tell(scope, "updated", country, currency)


def _tell(scope: Scope, what: str, country: str, currency: str) -> None:
    data = {"country": country, "settlement_currency": currency, f"{what}_at": timestamp(scope.now)}
    outbox.append(scope, f"merchant.{what}", scope.merchant_id, data)


def _scope(connection: Connection, region: Region, merchant_id: str, secret_key: str) -> Scope:
    """A merchant is of both modes; its events carry that of the key in hand."""
    correlation_id = new_id("request", region.code)
    return Scope(connection, region, merchant_id, is_live_key(secret_key), correlation_id, utc_now())
