import base64
import hashlib

from flask import Blueprint, Response, request

from regions.ids import region_of
from web.clock import utc_now
from web.db.scope import tenant_scope
from web.http.answers import encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import parse_body
from web.http.problems import NotFoundError
from web.http.service_edge import check_service_key, required_key
from web.privacy import repository, service
from web.privacy.schemas import CreateErasureRequest, erasure_request_json
from web.wiring import wired

blueprint = Blueprint("privacy", __name__)


@blueprint.post("/internal/v1/erasure_requests")
def create_erasure_request() -> Response:
    """Record an erasure request. For our own commands: it takes the service key, and an idempotency key."""
    wiring = wired()
    check_service_key()
    key = required_key()
    body = parse_body(request, CreateErasureRequest)
    check_region(region_of(body.subject_id) or "", wiring.region, wiring.settings)
    with wiring.database.transaction() as connection:
        tenant = repository.tenant_of_subject(connection, body.subject_id)
    if tenant is None:
        raise NotFoundError("There is no such data subject.")
    opened = tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())
    with opened as scope:
        found, is_new = service.request_erasure(scope, body.subject_id, body.requested_by, body.reason, key)
    return json_response(201 if is_new else 200, encode(erasure_request_json(found)), {})


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
