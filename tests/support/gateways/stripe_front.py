"""What stands before localstripe, so that it answers as Stripe's docs say where it does not.

localstripe keeps payments, charges, refunds and customers. It knows no Idempotency-Key, no return URLs, no redirects
for 3-D Secure, no decline codes but one, no limits on refunds, no Checkout pages, no disputes, and tells no webhook of
a payment: those are here.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

DECLINE_CODES = {"insufficient_funds": "insufficient_funds", "expired": "expired_card", "decline": "generic_decline"}
_UNKNOWN_THERE = ("return_url", "setup_future_usage", "payment_method_options", "cancellation_reason")
Json = dict[str, Any]


class Front:
    """One localstripe with its front."""

    def __init__(self, base_url: str, backend: str, webhook_secret: str, late_seconds: float) -> None:
        self.base_url, self.webhook_secret, self.late_seconds = base_url, webhook_secret, late_seconds
        self.backend = httpx.Client(
            base_url=backend, trust_env=False, headers={"Authorization": "Bearer sk_test_12345"}
        )
        self.behaviours: dict[str, str] = {}
        self.answers: dict[str, tuple[bytes, int, Json]] = {}
        self.sessions: dict[str, Json] = {}
        self.disputes: dict[str, Json] = {}
        self.captured: dict[str, int] = {}
        self.hooks: list[tuple[dict[str, str], bytes]] = []

    def app(self) -> Flask:
        app = Flask("stripe-front")
        app.add_url_rule("/v1/<path:path>", view_func=self.api, methods=["GET", "POST", "DELETE"])
        app.add_url_rule("/_bank/<intent>", view_func=self.bank, methods=["POST"])
        app.add_url_rule("/_page/<session>", view_func=self.page, methods=["POST"])
        return app

    def api(self, path: str) -> Response:
        """Any call of the API, once per Idempotency-Key."""
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            return _json(*self.answer(path))
        fingerprint = hashlib.sha256(request.path.encode() + request.get_data()).digest()
        if key in self.answers:
            same, status, body = self.answers[key]
            if same != fingerprint:
                return _json(400, {"error": {"type": "idempotency_error", "message": "Keys are for one request."}})
            return _json(status, body)
        behaviour = self.behaviours.get(dict(_form()).get("payment_method", ""), "")
        if behaviour == "lost":
            time.sleep(self.late_seconds)
            return _json(504, {"error": {"type": "api_error"}})
        status, body = self.answer(path)
        self.answers[key] = (fingerprint, status, body)
        if behaviour == "late":
            time.sleep(self.late_seconds)
        if behaviour == "broken":
            return _json(500, {"error": {"type": "api_error"}})
        return _json(status, body)

    def answer(self, path: str) -> tuple[int, Json]:  # noqa: PLR0911 - one return an operation
        form = dict(_form())
        match path.split("/"):
            case ["checkout", "sessions", *rest]:
                return self.checkout(rest, form)
            case ["disputes", *rest]:
                return self.dispute_api(rest, form)
            case ["payment_intents"] if request.method == "POST":
                return self.create_intent(form)
            case ["payment_intents"]:
                return self.listed(path)
            case ["payment_intents", intent, "capture" | "cancel" as step]:
                return self.step(intent, step, form)
            case ["refunds"] if request.method == "POST":
                return self.refund(form)
            case ["setup_intents"]:
                return self.setup(form)
            case _:
                return self.forward(request.method, path, form, dict(request.args))

    def create_intent(self, form: dict[str, str]) -> tuple[int, Json]:
        method, customer = form.get("payment_method", ""), form.get("customer")
        keeps = form.get("setup_future_usage")
        if customer and not keeps:
            _, shown = self.forward("GET", f"payment_methods/{method}")
            if shown.get("customer") != customer:
                return _refused("resource_missing", "payment_method")
        status, body = self.forward("POST", "payment_intents", form)
        if status == 402:
            error = body["error"]
            error["type"] = "card_error"
            error["decline_code"] = DECLINE_CODES.get(self.behaviours.get(method, ""), "generic_decline")
            if error["decline_code"] == "expired_card":
                error["code"] = "expired_card"
        elif status == 200 and keeps and customer:
            self.forward("POST", f"payment_methods/{method}/attach", {"customer": customer})
        if body.get("status") == "succeeded":
            self.emit("payment_intent.succeeded", body)
        return status, body

    def step(self, intent: str, step: str, form: dict[str, str]) -> tuple[int, Json]:
        status, body = self.forward("GET", f"payment_intents/{intent}")
        if status != 200:
            return status, body
        if body["status"] != "requires_capture":
            return _refused("payment_intent_unexpected_state", None)
        if int(form.get("amount_to_capture", 0)) > body["amount"]:
            return _refused("amount_too_large", "amount_to_capture")
        if step == "capture":
            self.captured[intent] = int(form["amount_to_capture"])
        return self.forward("POST", f"payment_intents/{intent}/{step}", form)

    def refund(self, form: dict[str, str]) -> tuple[int, Json]:
        intent = form["payment_intent"]
        status, body = self.forward("GET", f"payment_intents/{intent}")
        if status != 200:
            return status, body
        _, found = self.forward("GET", "refunds", None, {"payment_intent": intent, "limit": "1000"})
        done = sum(refund["amount"] for refund in found["data"])
        if int(form["amount"]) > self.captured.get(intent, body["amount"]) - done:
            return _refused("charge_already_refunded", "amount")
        return self.forward("POST", "refunds", form)

    def setup(self, form: dict[str, str]) -> tuple[int, Json]:
        method, customer = form.pop("payment_method"), form["customer"]
        if self.behaviours.get(method) == "decline":
            return 402, {"error": {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"}}
        form.pop("confirm")
        _, made = self.forward("POST", "setup_intents", form)
        self.forward("POST", f"payment_methods/{method}/attach", {"customer": customer})
        return self.forward("POST", f"setup_intents/{made['id']}/confirm", {"payment_method": method})

    def checkout(self, rest: list[str], form: dict[str, str]) -> tuple[int, Json]:
        if request.method == "POST":
            name = f"cs_test_{secrets.token_hex(8)}"
            session = {"id": name, "object": "checkout.session", "status": "open", "payment_intent": None}
            session |= {"client_reference_id": form["client_reference_id"], "url": f"{self.base_url}/_page/{name}"}
            self.sessions[name] = session | {"form": form, "created": int(time.time())}
        elif not rest:
            return 200, {"object": "list", "data": list(self.sessions.values()), "has_more": False}
        else:
            name = rest[0]
        shown = {key: value for key, value in self.sessions[name].items() if key != "form"}
        if shown["payment_intent"]:
            shown["payment_intent"] = self.forward(
                "GET", f"payment_intents/{shown['payment_intent']}", None, {"expand[0]": "payment_method"}
            )[1]
        return 200, shown

    def page(self, session: str) -> AnyResponse:
        """The payer pays on Stripe's page with the payment method that the form names."""
        form = self.sessions[session]["form"]
        wanted = {
            "amount": form["line_items[0][price_data][unit_amount]"],
            "currency": form["line_items[0][price_data][currency]"],
            "capture_method": form["payment_intent_data[capture_method]"],
            "metadata[attempt_id]": form["payment_intent_data[metadata][attempt_id]"],
            "payment_method": request.form["payment_method"],
            "confirm": "true",
        }
        _, intent = self.create_intent(wanted)
        self.sessions[session] |= {"status": "complete", "payment_intent": intent["id"], "url": None}
        return redirect(form["success_url"], 303)

    def bank(self, intent: str) -> AnyResponse:
        """The payer's answer to the bank."""
        _, shown = self.forward("GET", f"payment_intents/{intent}")
        is_passed = request.form["outcome"] == "pass"
        form = {"client_secret": shown["client_secret"], "success": str(is_passed).lower()}
        self.forward("POST", f"payment_intents/{intent}/_authenticate", form)
        return redirect("https://pay.eu.example/return", 303)

    def dispute(self, intent: str) -> None:
        """A payer complains: the event goes out as Stripe's do."""
        _, shown = self.forward("GET", f"payment_intents/{intent}")
        name = f"du_{secrets.token_hex(8)}"
        now = int(time.time())
        made = {"id": name, "object": "dispute", "payment_intent": intent, "amount": shown["amount"], "created": now}
        made |= {"currency": shown["currency"], "reason": "product_not_received", "status": "needs_response"}
        self.disputes[name] = made | {"evidence_details": {"due_by": now + 604_800}}
        self.emit("charge.dispute.created", self.disputes[name])

    def emit(self, kind: str, shown: Json) -> None:
        """Send an event as Stripe does."""
        event = {"id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": kind, "livemode": False}
        body = json.dumps(event | {"data": {"object": shown}}).encode()
        now = int(time.time())
        digest = hmac.new(self.webhook_secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
        self.hooks.append(({"Stripe-Signature": f"t={now},v1={digest}"}, body))

    def dispute_api(self, rest: list[str], form: dict[str, str]) -> tuple[int, Json]:
        if not rest:
            return 200, {"object": "list", "data": list(self.disputes.values()), "has_more": False}
        if rest[0] not in self.disputes:
            return 404, {"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "dispute"}}
        if request.method == "POST" and form.get("submit") == "true":
            self.disputes[rest[0]]["status"] = "under_review"
        return 200, self.disputes[rest[0]]

    def listed(self, path: str) -> tuple[int, Json]:
        since, until = (int(request.args.get(f"created[{bound}]", 0)) for bound in ("gte", "lte"))
        status, body = self.forward("GET", path, None, {"limit": "100000"})
        kept = [one for one in body["data"] if since <= one["created"] <= until]
        return status, {"object": "list", "data": kept, "has_more": False}

    def forward(
        self, method: str, path: str, form: dict[str, str] | None = None, query: dict[str, str] | None = None
    ) -> tuple[int, Json]:
        sent = {name: value for name, value in (form or {}).items() if not name.startswith(_UNKNOWN_THERE)}
        if method == "POST":
            answer = self.backend.post(f"/v1/{path}", data=sent)
        else:
            answer = self.backend.request(method, f"/v1/{path}", params=query)
        body = answer.json()
        for one in body.get("data", [body]) if isinstance(body.get("data", []), list) else [body]:
            if one.get("object") == "payment_intent":
                self.correct(one)
        return answer.status_code, body

    def correct(self, intent: Json) -> None:
        """A payment as Stripe would show it."""
        if intent["next_action"]:
            url = f"{self.base_url}/_bank/{intent['id']}"
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
        if intent["status"] == "succeeded":
            intent["amount_received"] = self.captured.get(intent["id"], intent["amount"])
        method = intent["payment_method"]
        error = intent.get("last_payment_error")
        behaviour = self.behaviours.get(method["id"] if isinstance(method, dict) else method or "", "")
        if error and behaviour in DECLINE_CODES:
            error["decline_code"] = DECLINE_CODES[behaviour]


def _form() -> Iterator[tuple[str, str]]:
    yield from parse_qsl(request.get_data(cache=True, as_text=True), keep_blank_values=True)


def _json(status: int, body: Json) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _refused(code: str, parameter: str | None) -> tuple[int, Json]:
    return 400, {"error": {"type": "invalid_request_error", "code": code, "param": parameter}}
