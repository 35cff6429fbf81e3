from sqlalchemy import Connection

from regions.errors import ConfigurationError, UsageError
from regions.ids import is_live_key, new_id, new_secret, region_of_key
from regions.region import Region
from web.merchants import repository
from web.merchants.domain import hash_key, shown_prefix
from web.merchants.models import Merchant

COUNTRY_LENGTH = 2


def provision(
    connection: Connection, region: Region, pepper: bytes, *, name: str, country: str, secret_key: str | None
) -> tuple[str, str]:
    """Make a merchant with an API key in the caller's transaction; returns the merchant's id and the secret key.

    With a `secret_key` that exists already nothing changes and its merchant is returned. Raises UsageError for a name,
    country or key that cannot be.
    """
    if not name.strip():
        raise UsageError("A merchant needs a name.")
    if not (len(country) == COUNTRY_LENGTH and country.isascii() and country.isalpha() and country.isupper()):
        raise UsageError("A merchant's country is two capital letters, such as DE (ISO 3166-1).")
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
        return found, secret_key
    merchant = Merchant(new_id("merchant", region.code), name, country)
    repository.insert_merchant(connection, merchant)
    repository.insert_key(
        connection,
        key_id=new_id("key", region.code),
        merchant_id=merchant.id,
        livemode=is_live_key(secret_key),
        key_hash=key_hash,
        prefix=shown_prefix(secret_key),
    )
    return merchant.id, secret_key
