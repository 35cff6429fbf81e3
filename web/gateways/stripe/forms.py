"""What Stripe is asked for: requests as the forms that it takes. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from web.gateways.domain import Authorisation, CaptureMode, SaveOrder, ThreeDs
from web.gateways.stripe.tables import METHODS, MINOR_UNITS

Form = dict[str, str]
_CAPTURES = MappingProxyType({CaptureMode.AUTOMATIC: "automatic", CaptureMode.MANUAL: "manual"})
_THREE_DS = MappingProxyType({ThreeDs.AUTO: "automatic", ThreeDs.FORCE: "any"})
EXPANDED = MappingProxyType({"expand[0]": "payment_method"})


def intent(order: Authorisation, customer: str | None) -> Form:
    """A payment by token or by a kept method, confirmed at once."""
    form = {
        "amount": str(MINOR_UNITS.to_wire(order.amount)),
        "currency": order.amount.currency.lower(),
        "confirm": "true",
        "capture_method": _CAPTURES[order.capture],
        "payment_method_types[0]": METHODS[order.method],
        **_metadata(order),
        **EXPANDED,
    }
    if METHODS[order.method] == "card":
        form["payment_method_options[card][request_three_d_secure]"] = _THREE_DS[order.three_ds]
    if order.saved is not None:
        form["customer"], _, form["payment_method"] = order.saved.id.partition("/")
    else:
        form["payment_method"] = order.payment_token or ""
    if customer is not None:
        form |= {"customer": customer, "setup_future_usage": "off_session"}
    if order.is_payer_present:
        form["return_url"] = order.return_url
    else:
        form["off_session"] = "true"
    return form


def session(order: Authorisation, customer: str | None) -> Form:
    """Stripe's own page for one payment."""
    form = {
        "mode": "payment",
        "client_reference_id": order.attempt_id,
        "success_url": order.return_url,
        "cancel_url": order.return_url,
        "payment_method_types[0]": METHODS[order.method],
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": order.amount.currency.lower(),
        "line_items[0][price_data][unit_amount]": str(MINOR_UNITS.to_wire(order.amount)),
        "line_items[0][price_data][product_data][name]": "Payment",
        "payment_intent_data[capture_method]": _CAPTURES[order.capture],
        **_metadata(order),
        **{f"payment_intent_data[{name}]": value for name, value in _nested(_metadata(order)).items()},
    }
    if METHODS[order.method] == "card":
        form["payment_method_options[card][request_three_d_secure]"] = _THREE_DS[order.three_ds]
    if customer is not None:
        form["customer"] = customer
        if order.save_for is not None:
            form["payment_intent_data[setup_future_usage]"] = "off_session"
    return form


def setup(order: SaveOrder, customer: str) -> Form:
    """A method to be kept without a charge."""
    return {
        "customer": customer,
        "payment_method": order.payment_token,
        "confirm": "true",
        "usage": "off_session",
        "payment_method_types[0]": "card",
        "return_url": order.return_url,
        "metadata[payer_reference]": order.payer_reference,
        **EXPANDED,
    }


def _metadata(order: Authorisation) -> Form:
    form = {"metadata[attempt_id]": order.attempt_id}
    payer = order.save_for or (order.saved.payer_reference if order.saved else None)
    if payer is not None:
        form["metadata[payer_reference]"] = payer
    if order.save_for is not None:
        form["metadata[is_saved]"] = "true"
    return form


def _nested(form: Mapping[str, str]) -> Form:
    """`metadata[x]` as it is written inside another object: `metadata][x`."""
    return {name.replace("[", "][", 1).removesuffix("]"): value for name, value in form.items()}
