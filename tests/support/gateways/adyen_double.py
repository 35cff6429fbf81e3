"""A double of Adyen's Checkout API with a memory, written from its docs: Prism gives examples and remembers nothing.

Whether requests are what Adyen takes is not this double's to say: they are held against Adyen's own OpenAPI document.
"""

import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from web.gateways.adyen.webhooks import Item, sign

Json = dict[str, Any]
REFUSALS = {
    "decline": ("2", "Refused"),
    "insufficient_funds": ("12", "Not enough balance"),
    "expired": ("6", "Expired Card"),
}
HMAC_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


class AdyenDouble:
    """One merchant account."""

    def __init__(self, base_url: str, account: str, late_seconds: float) -> None:
        self.base_url, self.account, self.late_seconds = base_url, account, late_seconds
        self.payments: dict[str, Json] = {}
        self.waiting: dict[str, Json] = {}
        self.sessions: dict[str, Json] = {}
        self.answers: dict[str, tuple[Json, int, Json]] = {}
        self.tokens: dict[str, str] = {}
        self.lost: set[str] = set()
        self.notifications: list[bytes] = []

    def app(self) -> Flask:
        app = Flask("adyen-double")
        app.add_url_rule("/v71/<path:path>", view_func=self.api, methods=["GET", "POST", "DELETE"])
        app.add_url_rule("/_bank/<name>", view_func=self.bank, methods=["POST"])
        app.add_url_rule("/_page/<name>", view_func=self.page, methods=["POST"])
        return app

    def api(self, path: str) -> Response:
        key, body = request.headers.get("Idempotency-Key", ""), request.get_json(silent=True) or {}
        if request.method != "POST":
            return _json(*self.other(path))
        if key in self.answers:
            seen, status, answer = self.answers[key]
            return _json(status, answer) if seen == body else _error("704")
        behaviour = str(body.get("paymentMethod", {}).get("encryptedCardNumber", "")).removeprefix("test_")
        if behaviour == "lost" and key not in self.lost:
            self.lost.add(key)
            time.sleep(self.late_seconds)
            return _json(504, {})
        status, answer = self.work(path.split("/"), body, behaviour)
        self.answers[key] = (body, status, answer)
        if behaviour == "late":
            time.sleep(self.late_seconds)
        return _json(500, {}) if behaviour == "broken" else _json(status, answer)

    def work(self, path: list[str], body: Json, behaviour: str) -> tuple[int, Json]:
        match path:
            case ["payments"]:
                return self.pay(body, behaviour)
            case ["payments", "details"]:
                held = self.waiting[body["details"]["redirectResult"]]
                return self.decide(held, "" if held["is_passed"] else "failed")
            case ["payments", payment, what]:
                return self.modify(payment, what, body)
            case _:
                name = f"CS{secrets.token_hex(8)}"
                self.sessions[name] = {"id": name, "body": body, "status": "active", "payments": []}
                shown = {"id": name, "url": f"{self.base_url}/_page/{name}", "expiresAt": "2030-01-01T00:00:00Z"}
                return 201, shown | {key: body[key] for key in ("amount", "merchantAccount", "reference", "returnUrl")}

    def pay(self, body: Json, behaviour: str) -> tuple[int, Json]:
        stored = body["paymentMethod"].get("storedPaymentMethodId")
        if stored is not None and self.tokens.get(stored) != body["shopperReference"]:
            return 422, {"status": 422, "errorCode": "803", "message": "PaymentDetail not found"}
        if behaviour == "challenge":
            name = secrets.token_hex(8)
            self.waiting[name] = {"body": body, "is_passed": False}
            action = {"type": "redirect", "method": "GET", "paymentMethodType": "scheme"}
            return 200, {"resultCode": "RedirectShopper", "action": action | {"url": f"{self.base_url}/_bank/{name}"}}
        return self.decide({"body": body}, behaviour)

    def decide(self, held: Json, behaviour: str) -> tuple[int, Json]:
        body = held["body"]
        name = _reference()
        shown: Json = {"pspReference": name, "merchantReference": body["reference"], "amount": body["amount"]}
        extras: Json = {"cardSummary": "4242", "alias": "H167852639363479"}
        refused = ("11", "3D Not Authenticated") if behaviour == "failed" else REFUSALS.get(behaviour)
        if refused is not None:
            shown |= {"resultCode": "Refused", "refusalReasonCode": refused[0], "refusalReason": refused[1]}
            self.notify("AUTHORISATION", name, body["reference"], body["amount"], success=False, reason=refused[1])
            return 200, shown | {"additionalData": extras}
        if body.get("storePaymentMethod") or body.get("storePaymentMethodMode"):
            kept = secrets.token_hex(8).upper()
            self.tokens[kept] = body["shopperReference"]
            extras |= {
                "tokenization.storedPaymentMethodId": kept,
                "tokenization.shopperReference": body["shopperReference"],
            }
        is_manual = body.get("additionalData", {}).get("manualCapture") == "true"
        value = body["amount"]["value"]
        self.payments[name] = {
            "reference": body["reference"],
            "amount": body["amount"],
            "open": value if is_manual else 0,
            "captured": 0 if is_manual else value,
            "refunded": 0,
        }
        told = extras | {f"metadata.{key}": word for key, word in body.get("metadata", {}).items()}
        self.notify("AUTHORISATION", name, body["reference"], body["amount"], extras=told)
        return 200, shown | {"resultCode": "Authorised", "additionalData": extras}

    def modify(self, payment: str, what: str, body: Json) -> tuple[int, Json]:
        held = self.payments.get(payment)
        if held is None:
            return 422, {"status": 422, "errorCode": "167", "message": "Original pspReference required"}
        value = body.get("amount", held["amount"])["value"]
        code = {"captures": "CAPTURE", "cancels": "CANCELLATION", "refunds": "REFUND"}[what]
        match what:
            case "captures":
                is_good = 0 < value <= held["open"]
                held |= {"captured": held["captured"] + value, "open": 0} if is_good else {}
            case "cancels":
                is_good = held["open"] > 0
                held |= {"open": 0} if is_good else {}
            case _:
                is_good = value <= held["captured"] - held["refunded"]
                held |= {"refunded": held["refunded"] + value} if is_good else {}
        name = _reference()
        amount = body.get("amount", held["amount"])
        self.notify(code, name, body["reference"], amount, original=payment, success=is_good)
        return 201, {"pspReference": name, "paymentPspReference": payment, "status": "received", **body}

    def other(self, path: str) -> tuple[int, Json]:
        name = path.split("/")[1]
        if request.method == "DELETE":
            return (204, {}) if self.tokens.pop(name, None) else (422, {"errorCode": "803"})
        session = self.sessions[name]
        return 200, {key: session[key] for key in ("id", "status", "payments")}

    def page(self, name: str) -> AnyResponse:
        """The payer pays on Adyen's page."""
        session = self.sessions[name]
        _, paid = self.decide({"body": session["body"]}, "")
        session["status"] = "completed"
        session["payments"] = [{key: paid[key] for key in ("pspReference", "resultCode", "amount")}]
        return redirect(f"{session['body']['returnUrl']}?sessionId={name}&sessionResult=signed", 303)

    def bank(self, name: str) -> AnyResponse:
        """The payer's answer to the bank."""
        held = self.waiting[name]
        held["is_passed"] = request.form["outcome"] == "pass"
        return redirect(f"{held['body']['returnUrl']}?redirectResult={name}", 303)

    def dispute(self, payment: str) -> None:
        """A payer complains."""
        held = self.payments[payment]
        extras = {"chargebackReasonCode": "13.1", "defensePeriodEndsAt": "2030-01-01T00:00:00+01:00"}
        self.notify(
            "NOTIFICATION_OF_CHARGEBACK",
            _reference(),
            held["reference"],
            held["amount"],
            original=payment,
            extras=extras,
        )

    def notify(
        self,
        code: str,
        name: str,
        reference: str,
        amount: Json,
        *,
        original: str = "",
        success: bool = True,
        reason: str = "",
        extras: Json | None = None,
    ) -> None:
        item = {
            "pspReference": name,
            "originalReference": original,
            "merchantAccountCode": self.account,
            "merchantReference": reference,
            "amount": amount,
            "eventCode": code,
            "eventDate": datetime.now(UTC).isoformat(),
            "success": str(success).lower(),
            "reason": reason,
            "additionalData": extras or {},
        }
        signature = sign(HMAC_KEY, Item.model_validate(item).signed())
        item["additionalData"] = {**(extras or {}), "hmacSignature": signature}
        envelope = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
        self.notifications.append(json.dumps(envelope).encode())


def _reference() -> str:
    return secrets.token_hex(8).upper()


def _json(status: int, body: Json) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _error(code: str) -> Response:
    return _json(422, {"status": 422, "errorCode": code, "errorType": "validation"})
