"""Deliveries to merchants' servers go by age: the event, the delivery and each try, each by its own."""

from tests.support.erasure import Bureau

ENDPOINT = """
INSERT INTO webhook_endpoints (id, merchant_id, livemode, kind, url, event_types, api_version, created_at, updated_at)
VALUES ('whe_eu_old', %s, false, 'url', 'https://shop.example.com/hooks', '{*}', '2026-11-01', now(), now())"""
EVENT = """
INSERT INTO webhook_events (id, merchant_id, livemode, type, object_id, sequence, schema_version, time, data,
                            recorded_at)
VALUES (%(event)s, %(merchant)s, false, 'payment.succeeded', 'pay_eu_x', 1, 1, now(), '{}',
        now() - %(age)s::interval)"""
DELIVERY = """
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, merchant_id, livemode, type, object_id, sequence,
                                api_version, status, created_at, due_at, finished_at)
VALUES (%(id)s, %(event)s, 'whe_eu_old', %(merchant)s, false, 'payment.succeeded', 'pay_eu_x', 1, '2026-11-01',
        'succeeded', now() - %(age)s::interval, now(), now())"""
ATTEMPT = """
INSERT INTO webhook_attempts (delivery_id, number, endpoint_id, merchant_id, livemode, at, latency_ms, outcome, request)
VALUES (%(id)s, 1, 'whe_eu_old', %(merchant)s, false, now() - %(age)s::interval, 1, 'succeeded', '{}')"""
LEFT = """
SELECT 'event' AS what, right(id::text, 1) AS which FROM webhook_events
UNION ALL SELECT 'delivery', right(id, 1) FROM webhook_deliveries
UNION ALL SELECT 'attempt', right(delivery_id, 1) FROM webhook_attempts ORDER BY 1, 2"""


def test_deliveries_and_their_tries_go_when_their_time_is_over(bureau: Bureau) -> None:
    merchant = bureau.shop.database.merchant_id
    bureau.shop.execute(ENDPOINT, merchant)
    for number, age in enumerate(("31 days", "28 days"), 1):
        row = {
            "event": f"00000000-0000-7000-8000-00000000000{number}",
            "id": f"whd_eu_{number}",
            "merchant": merchant,
            "age": age,
        }
        with bureau.shop.database.connect("postgres") as admin:
            for statement in (EVENT, DELIVERY, ATTEMPT):
                admin.execute(statement, row)
    with bureau.office() as office:
        bureau.run(office, bureau.approved(office))
    found = [(row["what"], row["which"]) for row in bureau.shop.rows(LEFT)]
    assert found == [("attempt", "2"), ("delivery", "2"), ("event", "2")]
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_events", "webhook_endpoints"):
        bureau.shop.execute(f"DELETE FROM {table}")
