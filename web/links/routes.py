from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route, single_write_route
from web.http.paging import list_json
from web.http.problems import ConflictError
from web.links import service
from web.links.schemas import CreateLink, LinkList, LinkObject, ListLinks, NoFields, link_json
from web.wiring import wired

blueprint = Blueprint("links", __name__, url_prefix="/v1/links")


@blueprint.post("")
@operation("Create a link", "Links", LinkObject, status=201, body=CreateLink)
@single_write_route
def create_link(scope: Scope) -> Answer:
    """Make a payment link."""
    link, write = service.create(scope, parse_body(request, CreateLink))
    body = link_json(link, wired().settings.api_base_url, scope.now)
    return Answer(201, body, write=write)


@blueprint.get("")
@operation("List links", "Links", LinkList, query=ListLinks)
@merchant_route
def list_links(scope: Scope) -> Answer:
    """The merchant's links, newest first."""
    query = parse_query(request, ListLinks)
    links, has_more = service.page(scope, query)
    base = wired().settings.api_base_url
    return Answer(200, list_json([link_json(link, base, scope.now) for link in links], has_more=has_more))


@blueprint.get("/<link_id>")
@operation("Retrieve a link", "Links", LinkObject)
@merchant_route
def get_link(scope: Scope, link_id: str) -> Answer:
    """One link."""
    return Answer(200, link_json(service.get(scope, link_id), wired().settings.api_base_url, scope.now))


@blueprint.post("/<link_id>/deactivate")
@operation("Deactivate a link", "Links", LinkObject, body=NoFields, is_body_required=False, errors=(ConflictError,))
@merchant_route
def deactivate_link(scope: Scope, link_id: str) -> Answer:
    """End a link."""
    parse_body(request, NoFields)
    return Answer(200, link_json(service.deactivate(scope, link_id), wired().settings.api_base_url, scope.now))
