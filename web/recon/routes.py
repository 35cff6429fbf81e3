"""The internal API of reconciliation: what it matched is posted, and what people decide about breaks is carried out."""

from contextlib import AbstractContextManager
from typing import Any

import orjson
from flask import Blueprint, Response, request

from regions.ids import region_of
from regions.posting import posting_key
from web.clock import utc_now
from web.db.scope import Scope, Tenant, tenant_scope
from web.http.answers import encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import field_error, parse_body
from web.http.problems import NotFoundError
from web.http.service_edge import check_service_key, finance_person, required_key
from web.recon import repository, resolutions, service
from web.recon.models import Wanted
from web.recon.schemas import DecideResolution, PostPostings, ProposeResolution, resolution_json
from web.wiring import wired

BODY_BYTES_MAX = 1024 * 1024

blueprint = Blueprint("recon", __name__, url_prefix="/internal/v1/recon")


@blueprint.before_request
def _of_ours() -> None:
    check_service_key()
    request.max_content_length = BODY_BYTES_MAX


@blueprint.post("/postings")
def post_postings() -> Response:
    """Book subjects as wanted: idempotent by each posting's key, all or nothing."""
    body = parse_body(request, PostPostings)
    raw = orjson.loads(request.get_data(cache=True))["postings"]
    wanted = []
    for number, (one, said) in enumerate(zip(body.postings, raw, strict=True)):
        if one.key != posting_key(one.subject_id, said["fact"], body.rule_version):
            raise field_error(f"postings/{number}/key", "is not the hash of what is posted")
        wanted.append(Wanted(one.subject_id, one.key, one.fact.model_dump() if one.fact else None))
    if len({one.subject_id for one in wanted}) < len(wanted):
        raise field_error("postings", "names a subject twice")
    with _books_of(body.merchant_id, livemode=body.livemode) as scope:
        done = service.converge(scope, body.rule_version, wanted)
    return _answer(200, {name: getattr(done, name) for name in ("posted", "reversed", "unchanged", "reopened")})


@blueprint.post("/resolutions")
def propose_resolution() -> Response:
    """Propose to write a break off, or to match it with one on the other side."""
    key, body = required_key(), parse_body(request, ProposeResolution)
    if (body.action == "match") != (body.other_break_id is not None):
        raise field_error("other_break_id", "belongs to a match, and to nothing else")
    if body.line_id is None and (body.item_id is None or body.action == "match"):
        raise field_error("line_id", "a break has a line or an item, a match has both")
    person = finance_person(body.actor)
    with _books_of(body.merchant_id, livemode=body.livemode) as scope:
        found, is_new = resolutions.propose(scope, body, person, key)
    return _answer(201 if is_new else 200, resolution_json(found))


@blueprint.post("/resolutions/<resolution_id>/decisions")
def decide_resolution(resolution_id: str) -> Response:
    """Approve, reject or re-open; the same decision again changes nothing."""
    body = parse_body(request, DecideResolution)
    person = finance_person(body.actor)
    with wired().database.transaction() as connection:
        tenant = repository.tenant_of_resolution(connection, resolution_id)
    if tenant is None:
        raise NotFoundError("There is no such resolution.")
    with _books(tenant) as scope:
        found = resolutions.decide(scope, resolution_id, body, person)
    return _answer(200, resolution_json(found))


def _books_of(merchant_id: str | None, *, livemode: bool) -> AbstractContextManager[Scope]:
    wiring = wired()
    if merchant_id is None:
        with wiring.database.transaction() as connection:
            merchant_id = repository.house_tenant(connection, wiring.region.code, wiring.region.country)
    check_region(region_of(merchant_id) or "", wiring.region, wiring.settings)
    return _books(Tenant(merchant_id, merchant_id, livemode))


def _books(tenant: Tenant) -> AbstractContextManager[Scope]:
    wiring = wired()
    return tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())


def _answer(status: int, body: dict[str, Any]) -> Response:
    return json_response(status, encode(body), {})
