from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import NoFields, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import ConflictError, InvalidTermsError
from web.renewals import repository, service
from web.renewals.domain import WhyEnded
from web.renewals.schemas import CreateRenewal, ListRenewals, PeriodList, RenewalList, RenewalObject, UpdateRenewal
from web.renewals.shown import period_json, renewal_json

blueprint = Blueprint("renewals", __name__, url_prefix="/v1/renewals")
TAG = "Renewals"


@blueprint.post("")
@operation(
    "Create a renewal",
    TAG,
    RenewalObject,
    scope="renewals:write",
    status=201,
    body=CreateRenewal,
    errors=(InvalidTermsError,),
)
@merchant_route
def create_renewal(scope: Scope) -> Answer:
    """Charge a saved method, or send links, period after period."""
    return Answer(201, renewal_json(scope, service.create(scope, parse_body(request, CreateRenewal))))


@blueprint.get("")
@operation("List renewals", TAG, RenewalList, scope="renewals:read", query=ListRenewals)
@merchant_route
def list_renewals(scope: Scope) -> Answer:
    """The merchant's renewals, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListRenewals))
    return Answer(200, list_json([renewal_json(scope, each) for each in found], has_more=has_more))


@blueprint.get("/<renewal_id>")
@operation("Retrieve a renewal", TAG, RenewalObject, scope="renewals:read")
@merchant_route
def get_renewal(scope: Scope, renewal_id: str) -> Answer:
    """One renewal."""
    return Answer(200, renewal_json(scope, service.get(scope, renewal_id)))


@blueprint.patch("/<renewal_id>")
@operation(
    "Update a renewal",
    TAG,
    RenewalObject,
    scope="renewals:write",
    body=UpdateRenewal,
    errors=(ConflictError, InvalidTermsError),
)
@merchant_route
def update_renewal(scope: Scope, renewal_id: str) -> Answer:
    """Change the price, the method or the number of the periods to come."""
    return Answer(200, renewal_json(scope, service.update(scope, renewal_id, parse_body(request, UpdateRenewal))))


@blueprint.post("/<renewal_id>/cancel")
@operation("Cancel a renewal", TAG, RenewalObject, scope="renewals:write", body=NoFields, is_body_required=False)
@merchant_route
def cancel_renewal(scope: Scope, renewal_id: str) -> Answer:
    """End a renewal: nothing more is charged, and its open links end. Ending it again changes nothing."""
    parse_body(request, NoFields)
    return Answer(200, renewal_json(scope, service.end(scope, renewal_id, WhyEnded.CANCELLED)))


@blueprint.get("/<renewal_id>/periods")
@operation("List a renewal's periods", TAG, PeriodList, scope="renewals:read")
@merchant_route
def list_periods(scope: Scope, renewal_id: str) -> Answer:
    """What became of each period."""
    renewal = service.get(scope, renewal_id)
    found = [period_json(renewal, period) for period in repository.periods(scope, renewal_id)]
    return Answer(200, {"object": "list", "data": found})
