from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import text

from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.merchants.models import Account, Looks
from web.merchants.schemas import ListMerchants

_COLUMNS = ", ".join(field.name for field in fields(Account))
_CURRENCY = "coalesce(settlement_currency, :first_currency) AS settlement_currency"
_OWN = f"SELECT {_COLUMNS.replace('settlement_currency', _CURRENCY)} FROM merchants"  # noqa: S608 - constants
_GET = text(f"{_OWN} WHERE id = :id")
# As other lists see their rows: whose they are is the parent; a merchant is of both modes.
_SUB_ACCOUNTS = """(
  SELECT id, parent_id, parent_id AS merchant_id, name, country, settlement_currency, CAST(:livemode AS boolean) AS livemode,
         created_at FROM merchants)"""  # noqa: E501
_INSERT = text(f"INSERT INTO merchants ({_COLUMNS}) VALUES ({', '.join(f':{f.name}' for f in fields(Account))})")  # noqa: S608
_LOOKS = text("SELECT branding, logo IS NOT NULL AS has_logo FROM merchants WHERE id = :id")
_SET_BRANDING = text("UPDATE merchants SET branding = CAST(:branding AS jsonb) WHERE id = :id")
_SET_LOGO = text("UPDATE merchants SET logo = :logo WHERE id = :id")
_LOGO = text("SELECT logo FROM merchants WHERE id = :id")


def get(scope: Scope, merchant_id: str) -> Account | None:
    """The merchant itself or a sub-account."""
    values = {"id": merchant_id, "first_currency": scope.region.currencies[0]}
    row = scope.connection.execute(_GET, values).mappings().one_or_none()
    return None if row is None else Account(**row)


def page(scope: Scope, asked: ListMerchants) -> tuple[list[Account], bool]:
    """A page of the merchant's sub-accounts, newest first, and whether there are more."""
    return fetch(scope, Listing(_SUB_ACCOUNTS, _COLUMNS, [], {}), asked, lambda row: Account(**row))


def insert(scope: Scope, account: Account) -> None:
    """Insert a sub-account of the scope's merchant."""
    scope.connection.execute(_INSERT, asdict(account))


def looks(scope: Scope) -> Looks:
    """How the merchant's pages look."""
    return Looks(**scope.connection.execute(_LOOKS, {"id": scope.merchant_id}).mappings().one())


def set_branding(scope: Scope, branding: dict[str, Any]) -> None:
    """Write how its pages look."""
    values = {"id": scope.merchant_id, "branding": orjson.dumps(branding).decode()}
    scope.connection.execute(_SET_BRANDING, values)


def set_logo(scope: Scope, logo: bytes | None) -> None:
    """Write its logo, or take it away."""
    scope.connection.execute(_SET_LOGO, {"id": scope.merchant_id, "logo": logo})


def logo(scope: Scope) -> bytes | None:
    """The merchant's logo, PNG."""
    found: bytes | None = scope.connection.execute(_LOGO, {"id": scope.merchant_id}).scalar_one()
    return found
