import json

from flask import Blueprint, Response, abort

from web.clock import utc_now
from web.console.compliance import repository
from web.console.reading import region_rows
from web.console.session import signed_in
from web.console.view import page
from web.console.wiring import wired

blueprint = Blueprint("compliance", __name__)


@blueprint.get("/compliance")
def overview() -> Response:
    """Requests, plans, certificates, holds, and the rules that decide."""
    with region_rows(signed_in()) as connection:
        plans = repository.plans(connection)
        requests = repository.requests(connection)
        holds = repository.holds(connection)
    region = wired().region
    return page(
        "compliance", plans=plans, requests=requests, holds=holds, rules=region.retention,
        today=region.accounting_date(utc_now()),
    )  # fmt: skip


@blueprint.get("/compliance/plans/<plan_hash>")
def plan(plan_hash: str) -> Response:
    """What a plan says goes, and what stays and why."""
    with region_rows(signed_in()) as connection:
        found = repository.plan(connection, plan_hash)
    return page("plan", plan=found) if found else abort(404)


@blueprint.get("/compliance/plans/<plan_hash>/certificate.json")
def certificate(plan_hash: str) -> Response:
    """The signed certificate, as `meridian certificate verify` takes it."""
    with region_rows(signed_in()) as connection:
        found = repository.plan(connection, plan_hash)
    if found is None or not found["is_certified"]:
        abort(404)
    body = json.dumps(found["certificate"], ensure_ascii=False, indent=2) + "\n"
    name = f"certificate-{wired().region.code}-{found['plan_date']}-{plan_hash[:12]}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, mimetype="application/json", headers=headers)
