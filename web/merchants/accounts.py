"""What merchants do with themselves over the API: sub-accounts, looks."""

import base64
import binascii
from typing import Any

from regions.events import timestamp
from regions.ids import new_id
from web import outbox
from web.db.scope import Scope, enter_tenant
from web.http.problems import ConflictError, FieldError, InvalidTermsError, NotFoundError
from web.merchants import accounts_repository as repository
from web.merchants.models import Account, Looks
from web.merchants.schemas import LOGO_BYTES_MAX, CreateMerchant, UpdateBranding

_PNG = b"\x89PNG\r\n\x1a\n"


def get(scope: Scope, merchant_id: str) -> Account:
    """The merchant itself or a sub-account; raises NotFoundError for anybody else's."""
    found = repository.get(scope, merchant_id)
    if found is None:
        raise NotFoundError("There is no such merchant.")
    return found


def create(scope: Scope, wanted: CreateMerchant) -> Account:
    """Make a sub-account, and tell of it as its own. One level deep: raises ConflictError for a sub-account's wish."""
    if get(scope, scope.merchant_id).parent_id is not None:
        raise ConflictError("A sub-account cannot have sub-accounts of its own.")
    currency = wanted.settlement_currency or scope.region.currencies[0]
    if currency not in scope.region.currencies:
        known = ", ".join(scope.region.currencies)
        raise InvalidTermsError([FieldError("/settlement_currency", f"must be one of {known}")])
    made = Account(
        new_id("merchant", scope.region.code), scope.merchant_id, wanted.name, wanted.country, currency, scope.now
    )
    repository.insert(scope, made)
    data = {"country": made.country, "settlement_currency": currency, "created_at": timestamp(scope.now)}
    there = in_sub_account(scope, made.id)
    outbox.append(there, "merchant.created", made.id, data)
    leave_sub_account(scope)
    return made


def in_sub_account(scope: Scope, merchant_id: str) -> Scope:
    """The same transaction, from now on as a sub-account of the merchant. Raises NotFoundError."""
    if get(scope, merchant_id).parent_id != scope.merchant_id:
        raise NotFoundError("There is no such sub-account.")
    enter_tenant(scope.connection, merchant_id)
    return Scope(
        scope.connection, scope.region, merchant_id, scope.livemode, scope.correlation_id, scope.now, scope.actor
    )


def leave_sub_account(scope: Scope) -> None:
    """Go on as the merchant itself."""
    enter_tenant(scope.connection, scope.merchant_id)


def looks(scope: Scope) -> Looks:
    """How the merchant's pages look."""
    return repository.looks(scope)


def update_looks(scope: Scope, wanted: UpdateBranding) -> Looks:
    """Change some of it. Raises InvalidTermsError for a logo that is none."""
    given = wanted.model_fields_set
    said = wanted.model_dump(mode="json", include=given - {"logo_png"})
    kept: dict[str, Any] = repository.looks(scope).branding | said
    repository.set_branding(scope, {name: value for name, value in kept.items() if value is not None})
    if "logo_png" in given:
        repository.set_logo(scope, None if wanted.logo_png is None else _png(wanted.logo_png))
    return repository.looks(scope)


def _png(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found.startswith(_PNG) or len(found) > LOGO_BYTES_MAX:
        raise InvalidTermsError([FieldError("/logo_png", "must be a PNG of 32 KiB at most, in base64")])
    return found
