from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_body
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.problems import FieldError, InvalidTermsError
from web.routing import repository
from web.routing.schemas import PreferenceList, PreferenceObject, SavePreference, preference_json, row_json

blueprint = Blueprint("routing", __name__, url_prefix="/v1/routing_preferences")


@blueprint.get("")
@operation("List routing preferences", "Routing", PreferenceList, scope="payments:read")
@merchant_route
def list_preferences(scope: Scope) -> Answer:
    """Which gateways the merchant wants to be asked first, by method."""
    return Answer(200, {"object": "list", "data": [row_json(row) for row in repository.preferences(scope)]})


@blueprint.post("")
@operation(
    "Prefer gateways",
    "Routing",
    PreferenceObject,
    scope="payments:write",
    body=SavePreference,
    errors=(InvalidTermsError,),
)
@merchant_route
def save_preference(scope: Scope) -> Answer:
    """Say which gateways to ask first. Rules of the platform and gateways that are out come before it."""
    wanted = parse_body(request, SavePreference)
    taking = {account.name for account in scope.region.gateways_for(wanted.method)}
    faults = [
        FieldError(f"/gateways/{number}", f"takes no {wanted.method} in region {scope.region.code}")
        for number, name in enumerate(wanted.gateways)
        if name not in taking
    ]
    if len(set(wanted.gateways)) != len(wanted.gateways):
        faults.append(FieldError("/gateways", "names a gateway twice"))
    if faults:
        raise InvalidTermsError(faults)
    repository.prefer(scope, wanted.method, wanted.gateways)
    return Answer(200, preference_json(wanted.method, wanted.gateways, scope.now if wanted.gateways else None))
