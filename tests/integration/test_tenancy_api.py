"""Every endpoint of the API, with a foreign key and foreign ids: what is another's is not there."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel

from regions.ids import KINDS, id_of_uuid, new_code, new_id
from tests.support.regional import RegionDatabase
from web.openapi.registry import Declared, declared

MARK = "MINE-4711"  # in everything that the owner has and others must not see
LINK = {"amount_minor": 1999, "currency": "EUR", "reference": MARK, "campaign": MARK, "usage": "multi"}
PAYMENT = """
INSERT INTO checkout_sessions (id, merchant_id, livemode, link_id, token_hash, amount_minor, currency, locale, device_class, expires_at)
VALUES (%(session)s, %(merchant)s, false, %(link)s, sha256(uuidv7()::text::bytea), 1999, 'EUR', 'en', 'desktop', now());
INSERT INTO payments (id, merchant_id, livemode, link_id, session_id, amount_minor, currency, status, captured_minor)
VALUES (%(payment)s, %(merchant)s, false, %(link)s, %(session)s, 1999, 'EUR', 'succeeded', 1999);
INSERT INTO attempts (id, merchant_id, payment_id, gateway, gateway_account, payment_token, amount_minor, currency, status, finished_at)
VALUES (%(attempt)s, %(merchant)s, %(payment)s, 'sandbox', 'MeridianEU', '', 1999, 'EUR', 'succeeded', now());
INSERT INTO refunds (id, merchant_id, livemode, payment_id, gateway, amount_minor, currency, status)
VALUES (%(refund)s, %(merchant)s, false, %(payment)s, 'sandbox', 1, 'EUR', 'succeeded');
INSERT INTO captures (id, merchant_id, livemode, payment_id, attempt_id, gateway, amount_minor, currency, is_final, status)
VALUES (%(capture)s, %(merchant)s, false, %(payment)s, %(attempt)s, 'sandbox', 1, 'EUR', true, 'succeeded');
INSERT INTO voids (id, merchant_id, livemode, payment_id, attempt_id, gateway, reason, status)
VALUES (%(void)s, %(merchant)s, false, %(payment)s, %(attempt)s, 'sandbox', 'voided', 'succeeded');
INSERT INTO payouts (id, merchant_id, livemode, currency, amount_minor, status, created_at)
VALUES (%(payout)s, %(merchant)s, false, 'EUR', 1, 'created', now());
INSERT INTO disputes (id, merchant_id, livemode, payment_id, gateway, gateway_account, gateway_reference, amount_minor, currency, status, reason, opened_at)
VALUES (%(dispute)s, %(merchant)s, false, %(payment)s, 'sandbox', 'MeridianEU', %(dispute)s, 1, 'EUR', 'won', 'general', now());
INSERT INTO splits (id, merchant_id, livemode, role, sender_id, recipient_id, payment_id, source_id, status, amount_minor, currency, position)
VALUES (%(split)s, %(merchant)s, false, 'sender', %(merchant)s, 'x', %(payment)s, %(payment)s, 'booked', 1, 'EUR', 0);
INSERT INTO fees (id, merchant_id, livemode, kind, payment_id, source_id, pricing_plan, method, amount_minor, fee_minor, tax_minor, currency, lines, created_at)
VALUES (%(fee)s, %(merchant)s, false, 'charge', %(payment)s, %(payment)s, 'standard', 'card', 1999, 1, 0, 'EUR', '[]', now());
"""  # noqa: E501


class Owner:
    """A merchant with one object of each kind that a path can name."""

    def __init__(self, client: FlaskClient, database: RegionDatabase) -> None:
        self.merchant_id, secret = database.add_merchant(MARK)
        headers = {"Authorization": f"Bearer {secret}"}

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer = client.post(path, headers=headers, **body)
            assert answer.status_code < 300, answer.text
            return dict(answer.get_json())

        link = post("/v1/links", json=LINK)["id"]
        ids = {
            name: new_id(name, "eu")
            for name in (
                "payment",
                "session",
                "attempt",
                "refund",
                "capture",
                "void",
                "payout",
                "dispute",
                "split",
                "fee",
                "subject",
            )
        }
        with database.connect("postgres") as connection:
            values = ids | {"link": link, "merchant": self.merchant_id}
            for statement in PAYMENT.strip().split(";\n"):
                connection.execute(statement.rstrip(";"), values)
        key = post("/v1/keys", json={"kind": "restricted", "scopes": ["links:read"], "name": MARK})["id"]
        rows = {"data": json.dumps(LINK), "content_type": "application/x-ndjson"}
        self.ids = {
            "link_id": link,
            "payment_id": ids["payment"],
            "refund_id": ids["refund"],
            "capture_id": ids["capture"],
            "void_id": ids["void"],
            "payout_id": ids["payout"],
            "merchant_id": self.merchant_id,
            "dispute_id": ids["dispute"],
            "split_id": ids["split"],
            "fee_id": ids["fee"],
            "key_id": key,
            "job_id": post("/v1/bulk/links", **rows)["id"],
            "event_id": client.get("/v1/events", headers=headers).get_json()["data"][0]["id"],
        }
        renewal = {"amount_minor": 1999, "currency": "EUR", "reference": MARK}
        self.ids["renewal_id"] = post("/v1/renewals", json=renewal)["id"]
        self._webhooks(post, database)
        self.ids["payout_id"] = new_id("payout", "eu")
        with database.connect("postgres") as connection:
            connection.execute(
                """INSERT INTO payouts (id, merchant_id, livemode, currency, amount_minor, status, created_at)
                   VALUES (%s, %s, false, 'EUR', 1999, 'created', now())""",
                [self.ids["payout_id"], self.merchant_id],
            )
            self.ids["payment_method_id"] = new_id("saved_method", "eu")
            subject = new_id("subject", "eu")
            connection.execute(
                "INSERT INTO data_subjects (id, merchant_id) VALUES (%s, %s)", [subject, self.merchant_id]
            )
            connection.execute(
                """INSERT INTO saved_methods (id, merchant_id, livemode, subject_id, attempt_id, gateway, method,
                                              status, mandate, consent_locale, consent_sha256, consented_at,
                                              created_at)
                   VALUES (%s, %s, false, %s, %s, 'sandbox', 'card', 'active', 'stored_credential', 'en-IE',
                           repeat('0', 64), now(), now())""",
                [self.ids["payment_method_id"], self.merchant_id, subject, ids["attempt"]],
            )

    def _webhooks(self, post: Any, database: RegionDatabase) -> None:
        endpoint = post("/v1/webhook_endpoints", json={"url": "https://example.com/h", "event_types": ["*"]})["id"]
        delivery = new_id("delivery", "eu") if "delivery" in KINDS else f"whd_eu_{new_id('link', 'eu')[9:]}"
        self.ids["endpoint_id"] = endpoint
        self.ids["listener_id"] = post("/v1/webhook_listeners", json={"event_types": ["*"]})["id"]
        self.ids["delivery_id"] = delivery
        with database.connect("postgres") as connection:
            connection.execute(
                """INSERT INTO webhook_deliveries (id, event_id, endpoint_id, merchant_id, livemode, type, object_id,
                                                   sequence, api_version, created_at, due_at)
                   VALUES (%s, %s, %s, %s, false, 'link.created', %s, 1, '2026-11-01', now(), now())""",
                [delivery, uuid.uuid4(), endpoint, self.merchant_id, self.ids["link_id"]],
            )


@pytest.fixture(scope="module")
def owner(region_app: Flask, region_database: RegionDatabase) -> Owner:
    return Owner(region_app.test_client(), region_database)


@pytest.fixture(scope="module")
def stranger(region_database: RegionDatabase) -> dict[str, str]:
    return {"Authorization": f"Bearer {region_database.add_merchant()[1]}"}


@pytest.fixture
def snapshot(region_database: RegionDatabase, owner: Owner) -> Iterator[None]:
    """Nothing of the owner's changes, whatever a stranger asks."""

    def rows() -> list[Any]:
        with region_database.connect("postgres") as connection:
            tables = connection.execute(
                """SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                    WHERE a.attname = 'merchant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                      AND c.relnamespace = 'public'::regnamespace ORDER BY 1"""
            ).fetchall()
            return [
                connection.execute(
                    f"SELECT t::text FROM {table} t WHERE merchant_id = %s ORDER BY t::text", [owner.merchant_id]
                ).fetchall()
                for (table,) in tables
            ]

    before = rows()
    yield
    assert rows() == before


def body_of(model: type[BaseModel] | None) -> dict[str, Any] | None:
    """A body that fits: every required field with its documented example."""
    if model is None:
        return None
    return {
        name: field.examples[0] for name, field in model.model_fields.items() if field.is_required() and field.examples
    }


def path_of(route: Declared, ids: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        assert match[1] in ids, f"say in tests/integration/test_tenancy_api.py how its owner gets a {match[1]}"
        return ids[match[1]]

    return re.sub(r"<(?:\w+:)?(\w+)>", value, route.rule.rule)


def test_what_another_merchant_has_is_not_there(
    client: FlaskClient, region_app: Flask, owner: Owner, stranger: dict[str, str], snapshot: None
) -> None:
    """The same answer as for an id that does not exist: not even that it exists is told."""
    routes = [route for route in declared(region_app) if "<" in route.rule.rule]
    assert len(routes) > 15
    nothing = {name: id_of_uuid("link", "eu", uuid.UUID(int=7 << 76))[9:] for name in owner.ids}
    nothing = {name: owner.ids[name][: -len(nothing[name])] + nothing[name] for name in owner.ids}
    for route in routes:
        options = {"json": body_of(route.operation.body)} if route.operation.body else {}
        theirs, none = (
            client.open(path_of(route, ids), method=route.method, headers=stranger, **options)
            for ids in (owner.ids, nothing)
        )
        assert theirs.status_code == 404, (route.method, route.rule.rule, theirs.text)
        assert (none.status_code, none.get_json()["detail"]) == (404, theirs.get_json()["detail"]), route.rule.rule


def test_lists_and_filters_show_nothing_of_another(
    client: FlaskClient, region_app: Flask, owner: Owner, stranger: dict[str, str], snapshot: None
) -> None:
    lists = [r for r in declared(region_app) if r.method == "GET" and "<" not in r.rule.rule and r.operation.query]
    for route in lists:
        assert route.operation.query is not None
        names = set(route.operation.query.model_fields)
        queries: list[dict[str, Any]] = [{"limit": 100}]
        queries += [{name: value} for name, value in owner.ids.items() if name in names]
        queries += [{"object_id": value} for value in owner.ids.values() if "object_id" in names]
        queries += [{name: MARK} for name in ("reference", "campaign") if name in names]
        for query in queries:
            answer = client.get(route.rule.rule, query_string=query, headers=stranger)
            assert answer.status_code in {200, 404}, (route.rule.rule, query, answer.text)
            told = answer.text
            for secret in (MARK, owner.merchant_id, *owner.ids.values()):
                assert secret not in told, (route.rule.rule, query)
        for cursor in owner.ids.values():
            answer = client.get(route.rule.rule, query_string={"starting_after": cursor}, headers=stranger)
            assert answer.status_code == 422, (route.rule.rule, answer.text)


def test_what_changes_by_name_changes_nothing_of_another(
    client: FlaskClient, owner: Owner, stranger: dict[str, str], snapshot: None
) -> None:
    for path in ("deactivate", "expire"):
        answer = client.post(f"/v1/bulk/campaigns/{path}", json={"campaign": MARK}, headers=stranger)
        assert answer.status_code == 404


def test_an_idempotency_key_is_the_merchants_own(
    client: FlaskClient, owner: Owner, stranger: dict[str, str], region_database: RegionDatabase
) -> None:
    mine = {"Authorization": f"Bearer {region_database.secret_key}"}
    name = {"Idempotency-Key": new_code()}
    first, second = (client.post("/v1/links", json=LINK, headers=who | name) for who in (mine, stranger))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_json()["id"] != second.get_json()["id"]


def test_every_operation_wants_a_key(client: FlaskClient, region_app: Flask, owner: Owner) -> None:
    for route in declared(region_app):
        answer = client.open(path_of(route, owner.ids), method=route.method)
        assert answer.status_code == 401, route.rule.rule
