from flask import Blueprint, request

from web.db.scope import Scope
from web.http.answers import Answer, Read
from web.http.bodies import NoFields, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route, single_read_route, single_write_route
from web.http.paging import list_json
from web.http.problems import ConflictError, InvalidTermsError
from web.links import qr, service
from web.links.schemas import CreateLink, ListLinks, QrCode, RegenerateLink, UpdateLink
from web.links.shown import LinkList, LinkObject, link_json, link_url
from web.wiring import wired

blueprint = Blueprint("links", __name__, url_prefix="/v1/links")


@blueprint.post("")
@operation(
    "Create a link", "Links", LinkObject, scope="links:write", status=201, body=CreateLink, errors=(InvalidTermsError,)
)
@single_write_route
def create_link(scope: Scope) -> Answer:
    """Make a payment link."""
    link, write = service.create(scope, parse_body(request, CreateLink))
    body = link_json(link, wired().settings.api_base_url, scope.now)
    return Answer(201, body, write=write)


@blueprint.get("")
@operation("List links", "Links", LinkList, scope="links:read", query=ListLinks)
@merchant_route
def list_links(scope: Scope) -> Answer:
    """The merchant's links, newest first."""
    query = parse_query(request, ListLinks)
    links, has_more = service.page(scope, query)
    base = wired().settings.api_base_url
    return Answer(200, list_json([link_json(link, base, scope.now) for link in links], has_more=has_more))


@blueprint.get("/<link_id>")
@operation("Retrieve a link", "Links", LinkObject, scope="links:read")
@single_read_route
def get_link(link_id: str) -> Read:
    """One link."""
    base = wired().settings.api_base_url
    return service.reading(link_id, lambda scope, link: Answer(200, link_json(link, base, scope.now)))


@blueprint.post("/<link_id>/deactivate")
@operation(
    "Deactivate a link",
    "Links",
    LinkObject,
    scope="links:write",
    body=NoFields,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_route
def deactivate_link(scope: Scope, link_id: str) -> Answer:
    """End a link."""
    parse_body(request, NoFields)
    return Answer(200, link_json(service.deactivate(scope, link_id), wired().settings.api_base_url, scope.now))


@blueprint.post("/<link_id>/reactivate")
@operation(
    "Reactivate a link",
    "Links",
    LinkObject,
    scope="links:write",
    body=NoFields,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_route
def reactivate_link(scope: Scope, link_id: str) -> Answer:
    """Open a deactivated link again."""
    parse_body(request, NoFields)
    return Answer(200, link_json(service.reactivate(scope, link_id), wired().settings.api_base_url, scope.now))


@blueprint.patch("/<link_id>")
@operation(
    "Update a link",
    "Links",
    LinkObject,
    scope="links:write",
    body=UpdateLink,
    errors=(ConflictError, InvalidTermsError),
)
@merchant_route
def update_link(scope: Scope, link_id: str) -> Answer:
    """Change what a link shows and asks, how long and how often it may be paid."""
    link = service.update(scope, link_id, parse_body(request, UpdateLink))
    return Answer(200, link_json(link, wired().settings.api_base_url, scope.now))


@blueprint.post("/<link_id>/regenerate")
@operation(
    "Regenerate a link that has ended",
    "Links",
    LinkObject,
    scope="links:write",
    status=201,
    body=RegenerateLink,
    is_body_required=False,
    errors=(ConflictError, InvalidTermsError),
)
@merchant_route
def regenerate_link(scope: Scope, link_id: str) -> Answer:
    """A new link on the old one's terms."""
    link = service.regenerate(scope, link_id, parse_body(request, RegenerateLink))
    return Answer(201, link_json(link, wired().settings.api_base_url, scope.now))


@blueprint.get("/<link_id>/qr")
@operation(
    "Draw a link's QR code",
    "Links",
    None,
    scope="links:read",
    query=QrCode,
    media={"image/svg+xml": "The code, as SVG.", "image/png": "The code, as PNG."},
)
@merchant_route
def draw_qr(scope: Scope, link_id: str) -> Answer:
    """The link's address for a channel, as a QR code."""
    wanted = parse_query(request, QrCode)
    link = service.get(scope, link_id)
    address = f"{link_url(wired().settings.api_base_url, link.code)}?channel={wanted.channel}"
    return Answer(200, qr.draw(address, wanted.format, wanted.scale), mimetype=qr.MIMETYPES[wanted.format])
