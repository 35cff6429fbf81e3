from flask import Blueprint, Response, request

from regions.ids import KINDS, region_of
from web.clock import utc_now
from web.db.scope import Scope, Tenant, tenant_scope
from web.http.answers import Answer, encode, json_response, request_id
from web.http.auth import check_region
from web.http.bodies import field_error, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import ConflictError, NotFoundError
from web.http.service_edge import check_service_key
from web.payouts import pain002, repository, service
from web.payouts.domain import PayoutStatus
from web.payouts.problems import CannotBePaidOutError
from web.payouts.schemas import (
    BalanceList,
    CreatePayout,
    EndPayout,
    ListPayouts,
    PayoutList,
    PayoutObject,
    PayoutSettingsList,
    PayoutSettingsObject,
    SavePayoutSettings,
    SetReserve,
    balance_json,
    payout_json,
    settings_json,
)
from web.wiring import wired

blueprint = Blueprint("payouts", __name__, url_prefix="/v1")
internal = Blueprint("payouts_internal", __name__, url_prefix="/internal/v1")
internal.before_request(check_service_key)


@blueprint.get("/payouts")
@operation("List payouts", "Payouts", PayoutList, scope="payouts:read", query=ListPayouts)
@merchant_route
def list_payouts(scope: Scope) -> Answer:
    """The merchant's payouts, newest first."""
    found, has_more = repository.list_payouts(scope, parse_query(request, ListPayouts))
    return Answer(200, list_json([payout_json(payout) for payout in found], has_more=has_more))


@blueprint.post("/payouts")
@operation(
    "Pay out now",
    "Payouts",
    PayoutObject,
    scope="payouts:write",
    status=201,
    body=CreatePayout,
    errors=(ConflictError,),
)
@merchant_route
def create_payout(scope: Scope) -> Answer:
    """Pay out all that can be paid out in a currency."""
    return Answer(201, payout_json(service.request_payout(scope, parse_body(request, CreatePayout).currency)))


@blueprint.get("/payouts/<payout_id>")
@operation("Retrieve a payout", "Payouts", PayoutObject, scope="payouts:read")
@merchant_route
def get_payout(scope: Scope, payout_id: str) -> Answer:
    """One payout."""
    payout = repository.get(scope, payout_id)
    if payout is None:
        raise NotFoundError("There is no such payout.")
    return Answer(200, payout_json(payout))


@blueprint.get("/payout_settings")
@operation("List payout settings", "Payouts", PayoutSettingsList, scope="payouts:read")
@merchant_route
def list_settings(scope: Scope) -> Answer:
    """How the merchant is paid out, by currency."""
    found = [settings_json(each) for each in repository.all_settings(scope)]
    return Answer(200, {"object": "list", "data": found})


@blueprint.post("/payout_settings")
@operation(
    "Say how to be paid out",
    "Payouts",
    PayoutSettingsObject,
    scope="payouts:write",
    body=SavePayoutSettings,
    errors=(CannotBePaidOutError,),
)
@merchant_route
def save_settings(scope: Scope) -> Answer:
    """Keep schedule, minimum and bank account of a currency."""
    wanted = parse_body(request, SavePayoutSettings)
    return Answer(200, settings_json(service.save_settings(scope, wired().vault, wanted)))


@blueprint.get("/balances")
@operation("List balances", "Payouts", BalanceList, scope="payouts:read")
@merchant_route
def list_balances(scope: Scope) -> Answer:
    """The merchant's money, by currency."""
    found = [balance_json(currency, balance) for currency, balance in sorted(repository.balances(scope).items())]
    return Answer(200, {"object": "list", "data": found})


@internal.post("/payouts/<payout_id>/end")
def end_payout(payout_id: str) -> Response:
    """How a payout ended at the bank; the same end again changes nothing."""
    wiring, body = wired(), parse_body(request, EndPayout)
    with wiring.database.transaction() as connection:
        tenant = repository.tenant_of(connection, payout_id)
    if tenant is None:
        raise NotFoundError("There is no such payout.")
    opened = tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())
    with opened as scope:
        ended = service.end(scope, payout_id, PayoutStatus(body.outcome), body.failure_code)
    return json_response(200, encode(payout_json(ended)), {})


@internal.post("/payout_status_reports")
def take_status_report() -> Response:
    """What the bank says of a file, pain.002: each payout ends as it says. The same report again changes nothing."""
    try:
        report = pain002.read(request.get_data())
    except pain002.StatusReportError as error:
        raise field_error("document", str(error)) from error
    told = [*report.transfers, *_rest_of_file(report)]
    counts = dict.fromkeys(("paid", "failed", "waiting", "unknown", "refused"), 0)
    for one in told:
        counts[_end_as_told(one)] += 1
    if not told:  # a file that is not ours
        counts["unknown"] = 1
    return json_response(200, encode(counts), {})


def _rest_of_file(report: pain002.Report) -> list[pain002.Told]:
    """What the report says of transfers that it does not name one by one."""
    if report.file is None:
        return []
    named = {one.reference for one in report.transfers}
    status = PayoutStatus.FAILED if report.file.is_rejected else None
    found = service.named_in(wired(), report.file.message_id)
    return [pain002.Told(each, status, report.file.reason) for each in found if each not in named]


def _end_as_told(told: pain002.Told) -> str:
    if told.status is None:
        return "waiting"
    wiring = wired()
    payout_id = f"{KINDS['payout']}_{wiring.region.code}_{told.reference}"
    with wiring.database.transaction() as connection:
        tenant = repository.tenant_of(connection, payout_id)
    if tenant is None:
        return "unknown"
    opened = tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())
    try:
        with opened as scope:
            service.end(scope, payout_id, told.status, told.reason)
    except ConflictError:  # it has ended otherwise already: a person has to look
        return "refused"
    return told.status.value


@internal.post("/payout_reserves")
def set_reserve() -> Response:
    """What the platform holds back of a merchant; it is moved with the next payout."""
    wiring, body = wired(), parse_body(request, SetReserve)
    check_region(region_of(body.merchant_id) or "", wiring.region, wiring.settings)
    tenant = Tenant(body.merchant_id, body.merchant_id, body.livemode)
    opened = tenant_scope(wiring.database, wiring.region, tenant, correlation_id=request_id(), now=utc_now())
    with opened as scope:
        if not repository.set_reserve(scope, body.currency, body.reserve_minor, body.reserve_bps):
            raise field_error("currency", "has no payout settings yet")
    return json_response(200, encode(body.model_dump()), {})


@internal.get("/payout_batches")
def list_batches() -> Response:
    """The newest files to the bank."""
    with wired().database.transaction() as connection:
        found = [{**row, "execute_on": row["execute_on"].isoformat(), "created_at": row["created_at"].isoformat()}
                 for row in repository.batches(connection)]  # fmt: skip
    return json_response(200, encode({"data": found}), {})


@internal.get("/payout_batches/<batch_id>.xml")
def get_file(batch_id: str) -> Response:
    """A file to the bank, pain.001."""
    wiring = wired()
    with wiring.database.transaction() as connection:
        sealed = repository.file_of(connection, batch_id)
    if sealed is None:
        raise NotFoundError("There is no such file.")
    content = wiring.vault.decrypt_region(bytes(sealed), service.FILE_PURPOSE)
    return Response(content, mimetype="application/xml", headers={"Cache-Control": "no-store"})
