from flask import Blueprint, Response, request

from web.clock import utc_now
from web.closes import service
from web.closes.schemas import CloseBooks, close_json
from web.http.answers import encode, json_response
from web.http.bodies import parse_body
from web.http.service_edge import check_service_key, finance_person
from web.wiring import wired

blueprint = Blueprint("closes", __name__, url_prefix="/internal/v1/ledger")


@blueprint.post("/closes")
def close_books() -> Response:
    """Close the books through a day; the same day again changes nothing."""
    check_service_key()
    wiring, body = wired(), parse_body(request, CloseBooks)
    person = finance_person(body.actor)
    with wiring.database.transaction() as connection:
        made, is_new = service.close(connection, wiring.region, body.through, person, body.reason, utc_now())
    return json_response(201 if is_new else 200, encode(close_json(made)), {})
