"""What only time brings about, done under the worker's own role."""

import uuid

from tests.support.shop import Shop
from web.background import housekeeping


def test_idempotency_keys_that_nobody_may_repeat_any_more_are_forgotten_and_the_others_kept(shop: Shop) -> None:
    keys = {age: str(uuid.uuid4()) for age in ("25 hours", "23 hours")}
    for age, key in keys.items():
        body = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}
        answer = shop.http.post(f"{shop.web_url}/v1/links", json=body, headers=shop.api | {"Idempotency-Key": key})
        assert answer.status_code == 201
        shop.execute("UPDATE idempotency_keys SET created_at = now() - %s::interval WHERE key = %s", age, key)

    while housekeeping.step_idempotency_keys(shop.worker):
        pass

    left = shop.rows("SELECT key FROM idempotency_keys WHERE key IN (%s, %s)", *keys.values())
    assert [row["key"] for row in left] == [keys["23 hours"]]


def test_counts_of_calls_go_once_no_decision_looks_at_them(shop: Shop) -> None:
    for hours in (1, 3):
        shop.execute(
            "INSERT INTO gateway_calls (gateway, method, at)"
            " VALUES ('sandbox', 'card', now() - %s * interval '1 hour')",
            hours,
        )
    housekeeping.step_gateway_calls(shop.worker)
    assert shop.rows("SELECT count(*) AS n FROM gateway_calls WHERE at < now() - interval '30 minutes'") == [{"n": 1}]
