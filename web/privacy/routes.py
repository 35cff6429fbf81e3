import base64
import hashlib
from contextlib import AbstractContextManager

from flask import Blueprint, Response, request

from regions.ids import region_of
from web.clock import utc_now
from web.db.scope import Scope, tenant_scope
from web.http.answers import encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import parse_body
from web.http.problems import NotFoundError
from web.http.service_edge import check_service_key, required_key
from web.privacy import repository, service
from web.privacy.schemas import CreateErasureRequest, ForgetMethods, erasure_request_json
from web.saved import service as saved
from web.wiring import wired

blueprint = Blueprint("privacy", __name__)


@blueprint.post("/internal/v1/erasure_requests")
def create_erasure_request() -> Response:
    """Record an erasure request. For our own commands: it takes the service key, and an idempotency key."""
    check_service_key()
    key = required_key()
    body = parse_body(request, CreateErasureRequest)
    with _scope_of(body.subject_id) as scope:
        found, is_new = service.request_erasure(scope, body.subject_id, body.requested_by, body.reason, key)
    return json_response(201 if is_new else 200, encode(erasure_request_json(found)), {})


@blueprint.post("/internal/v1/payment_methods/forget")
def forget_methods() -> Response:
    """Withdraw what a subject has agreed to be charged on, and let the gateways forget it; again changes nothing.

    Retention asks for it when a method is too old to be kept.
    """
    check_service_key()
    body = parse_body(request, ForgetMethods)
    with _scope_of(body.subject_id) as scope:
        saved.delete_all(scope, body.subject_id)
    return json_response(200, encode({"object": "data_subject", "id": body.subject_id}), {})


def _scope_of(subject_id: str) -> AbstractContextManager[Scope]:
    """A transaction of the merchant whose payer this is. Raises NotFoundError."""
    wiring = wired()
    check_region(region_of(subject_id) or "", wiring.region, wiring.settings)
    with wiring.database.transaction() as connection:
        tenant = repository.tenant_of_subject(connection, subject_id)
    if tenant is None:
        raise NotFoundError("There is no such data subject.")
    return tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())


@blueprint.get("/privacy/certificate-key")
def certificate_key() -> Response:
    """The public key that checks certificates of erasure of this region."""
    wiring = wired()
    key = wiring.vault.public_key()
    body = {
        "region": wiring.region.code,
        "algorithm": "Ed25519",
        "key": hashlib.sha256(key).hexdigest()[:16],
        "public_key": base64.b64encode(key).decode("ascii"),
    }
    return json_response(200, encode(body), {"Cache-Control": "public, max-age=3600"})
