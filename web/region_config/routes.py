from flask import Blueprint

from web.db.scope import Scope
from web.http.answers import Answer
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.region_config.schemas import PaymentMethodList, RegionObject, method_json, region_json
from web.wiring import wired

blueprint = Blueprint("region_config", __name__, url_prefix="/v1")


@blueprint.get("/region")
@operation("Retrieve the region", "Region", RegionObject, scope="config:read")
@merchant_route
def get_region(scope: Scope) -> Answer:
    """What this region is. A publishable key may ask."""
    settings = wired().settings
    return Answer(200, region_json(scope.region, settings.api_base_url, dict(settings.api_base_urls)))


@blueprint.get("/region/payment_methods")
@operation("List payment methods", "Region", PaymentMethodList, scope="config:read")
@merchant_route
def list_payment_methods(scope: Scope) -> Answer:
    """Every way to pay that the region has. A publishable key may ask."""
    found = [method_json(scope.region, method) for method in scope.region.payment_methods]
    return Answer(200, list_json(found, has_more=False))
