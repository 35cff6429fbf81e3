"""What Adyen is asked for: the bodies of requests. Pure."""

import base64
import binascii
import json
from typing import Any

from web.gateways.adyen.tables import METHODS, MINOR_UNITS
from web.gateways.domain import Authorisation, CaptureMode, SaveOrder, ThreeDs

Body = dict[str, Any]


class TokenError(ValueError):
    """A payment token that Adyen's components cannot have made."""


def payment(order: Authorisation, account: str) -> Body:
    """A payment by token or by a kept method. Raises AmountUnsupportedError, TokenError."""
    body = {
        **_order(order, account),
        "paymentMethod": _method(order),
        "shopperInteraction": "Ecommerce" if order.is_payer_present and not order.saved else "ContAuth",
        "channel": "Web",
        "authenticationData": {
            "attemptAuthentication": "always" if order.three_ds is ThreeDs.FORCE else "never",
            "threeDSRequestData": {"nativeThreeDS": "disabled"},  # its scripts do not run on our page
        },
    }
    if order.three_ds is ThreeDs.AUTO:  # Adyen and the account's rules decide
        del body["authenticationData"]["attemptAuthentication"]
    if order.saved is not None:
        model = "CardOnFile" if order.is_payer_present else "UnscheduledCardOnFile"
        body |= {"shopperReference": order.saved.payer_reference, "recurringProcessingModel": model}
    if not order.is_payer_present:
        del body["authenticationData"]
    return body


def session(order: Authorisation, account: str) -> Body:
    """Adyen's own page for one payment. Raises AmountUnsupportedError."""
    body = {**_order(order, account), "mode": "hosted", "allowedPaymentMethods": list(METHODS[order.method])}
    body["channel"] = "Web"
    if order.three_ds is ThreeDs.FORCE:
        body["authenticationData"] = {"attemptAuthentication": "always"}
    if order.save_for is not None:
        body["storePaymentMethodMode"] = "enabled"
        del body["storePaymentMethod"]
    return body


def zero(order: SaveOrder, account: str) -> Body:
    """A payment of nothing, which keeps what it was paid with. Raises TokenError."""
    return {
        "merchantAccount": account,
        "reference": order.save_id,
        "amount": {"value": 0, "currency": order.currency},
        "returnUrl": order.return_url,
        "paymentMethod": token(order.payment_token),
        "shopperInteraction": "Ecommerce",
        "channel": "Web",
        **_keeping(order.payer_reference),
    }


def token(text: str) -> Body:
    """The payment method that Adyen's components made, as our checkout page carries it: base64url of its JSON."""
    try:
        method = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise TokenError("The payment token cannot be read.") from error
    if not isinstance(method, dict) or not isinstance(method.get("type"), str):
        raise TokenError("The payment token is no payment method.")
    return method


def pack(method: Body) -> str:
    """A payment method as a token."""
    return base64.urlsafe_b64encode(json.dumps(method, sort_keys=True).encode()).rstrip(b"=").decode()


def _order(order: Authorisation, account: str) -> Body:
    body: Body = {
        "merchantAccount": account,
        "reference": order.attempt_id,
        "amount": {"value": MINOR_UNITS.to_wire(order.amount), "currency": order.amount.currency},
        "returnUrl": order.return_url,
        "metadata": {"capture": order.capture.value},
    }
    if order.capture is CaptureMode.MANUAL:
        body["additionalData"] = {"manualCapture": "true"}
    else:
        body["captureDelayHours"] = 0
    if order.save_for is not None:
        body |= _keeping(order.save_for)
    return body


def _keeping(payer_reference: str) -> Body:
    return {
        "shopperReference": payer_reference,
        "storePaymentMethod": True,
        "recurringProcessingModel": "UnscheduledCardOnFile",
    }


def _method(order: Authorisation) -> Body:
    if order.saved is not None:
        return {"type": "scheme", "storedPaymentMethodId": order.saved.id}
    return token(order.payment_token or "")
