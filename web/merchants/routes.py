from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import ConflictError, InvalidTermsError
from web.keys import service as keys
from web.keys.schemas import CreateKey, KeyObject, key_json
from web.merchants import accounts, accounts_repository
from web.merchants.models import Looks
from web.merchants.schemas import (
    BrandingObject,
    CreateMerchant,
    ListMerchants,
    MerchantList,
    MerchantObject,
    UpdateBranding,
    branding_json,
    merchant_json,
)
from web.wiring import wired

TAG = "Merchants"
blueprint = Blueprint("merchants", __name__, url_prefix="/v1")


@blueprint.post("/merchants")
@operation(
    "Create a sub-account",
    TAG,
    MerchantObject,
    scope="merchants:write",
    status=201,
    body=CreateMerchant,
    errors=(ConflictError, InvalidTermsError),
)
@merchant_route
def create_merchant(scope: Scope) -> Answer:
    """A merchant of its own, under this one."""
    return Answer(201, merchant_json(accounts.create(scope, parse_body(request, CreateMerchant))))


@blueprint.get("/merchants")
@operation("List sub-accounts", TAG, MerchantList, scope="merchants:read", query=ListMerchants)
@merchant_route
def list_merchants(scope: Scope) -> Answer:
    """The merchant's sub-accounts, newest first."""
    found, has_more = accounts_repository.page(scope, parse_query(request, ListMerchants))
    return Answer(200, list_json([merchant_json(account) for account in found], has_more=has_more))


@blueprint.get("/merchants/<merchant_id>")
@operation("Retrieve a merchant", TAG, MerchantObject, scope="merchants:read")
@merchant_route
def get_merchant(scope: Scope, merchant_id: str) -> Answer:
    """Oneself, or a sub-account."""
    return Answer(200, merchant_json(accounts.get(scope, merchant_id)))


@blueprint.post("/merchants/<merchant_id>/keys")
@operation(
    "Create an API key of a sub-account",
    TAG,
    KeyObject,
    scope="keys:write",
    status=201,
    body=CreateKey,
    errors=(InvalidTermsError,),
)
@merchant_route
def create_sub_account_key(scope: Scope, merchant_id: str) -> Answer:
    """Make a key that acts as the sub-account, and show it once."""
    wanted = parse_body(request, CreateKey)
    there = accounts.in_sub_account(scope, merchant_id)
    key, secret = keys.create(there, wired().settings.key_pepper, wanted)
    accounts.leave_sub_account(scope)
    return Answer(201, key_json(key, scope.now, secret), kept=key_json(key, scope.now))


@blueprint.get("/branding")
@operation("Retrieve your branding", TAG, BrandingObject, scope="merchants:read")
@merchant_route
def get_branding(scope: Scope) -> Answer:
    """How the merchant's pages look."""
    return _looks(accounts.looks(scope))


@blueprint.patch("/branding")
@operation(
    "Update your branding",
    TAG,
    BrandingObject,
    scope="merchants:write",
    body=UpdateBranding,
    errors=(InvalidTermsError,),
)
@merchant_route
def update_branding(scope: Scope) -> Answer:
    """Change how the merchant's pages look, where a link says nothing else."""
    return _looks(accounts.update_looks(scope, parse_body(request, UpdateBranding)))


def _looks(found: Looks) -> Answer:
    return Answer(200, branding_json(found.branding, has_logo=found.has_logo))
