"""What must hold when everybody comes at once: one link for one key over four processes, ten payments on ten places."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.gunicorn_serving import serving
from tests.support.regional import RegionDatabase
from tests.support.shop import Payer, Shop

CROWD = 64
PLACES = 10


def test_one_key_makes_one_link_over_four_processes(region_database: RegionDatabase) -> None:
    reference, ready = f"CROWD-{uuid.uuid4()}", threading.Barrier(CROWD)
    headers = {"Authorization": f"Bearer {region_database.secret_key}", "Idempotency-Key": str(uuid.uuid4())}
    body = {"amount_minor": 1999, "currency": "EUR", "reference": reference}
    options = ("--workers", "4", "--threads", "4", "--log-level", "warning")
    with serving("web.wsgi:for_region('eu')", region_database.env, options) as base:

        def post(_: int) -> httpx.Response:
            with httpx.Client(timeout=30, trust_env=False) as client:
                ready.wait()
                return client.post(f"{base}/v1/links", json=body, headers=headers)

        with ThreadPoolExecutor(CROWD) as pool:
            answers = list(pool.map(post, range(CROWD)))
    assert {answer.status_code for answer in answers} <= {201, 409}, "409: the first one was still at work"
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    with region_database.connect("postgres") as connection:
        query = """SELECT (SELECT count(*) FROM links WHERE reference = %(r)s),
                          (SELECT count(*) FROM outbox WHERE type = 'link.created' AND data ->> 'reference' = %(r)s)"""
        assert connection.execute(query, {"r": reference}).fetchone() == (1, 1)


def test_a_link_for_ten_takes_ten_of_sixty_four(shop: Shop) -> None:
    link = shop.create_link(amount_minor=1500, usage="limited", max_payments=PLACES)
    payers = [shop.payer(link) for _ in range(CROWD)]
    forms = [payer.form("4242424242424242", email=f"payer{n}@example.com") for n, payer in enumerate(payers)]

    def pay(both: tuple[Payer, dict[str, str]]) -> int:
        payer, form = both
        return payer.submit(form).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(pay, zip(payers, forms, strict=True)))
    shop.resolve()
    shop.deliver_webhooks()
    succeeded = shop.rows("SELECT id FROM payments WHERE link_id = %s AND status = 'succeeded'", link["id"])
    slots = shop.rows("SELECT slot, state FROM link_slots WHERE link_id = %s ORDER BY slot", link["id"])
    assert len(succeeded) <= PLACES
    assert [slot["slot"] for slot in slots] == list(range(1, len(slots) + 1))
    assert len(slots) <= PLACES
    assert set(statuses) <= {303, 409, 410, 503}
    while len(shop.rows("SELECT FROM link_slots WHERE link_id = %s AND state = 'used'", link["id"])) < PLACES:
        late = shop.payer(link)  # those who were told to try again do so
        late.pay(email=f"late-{uuid.uuid4()}@example.com")
        shop.resolve()
    assert shop.get(f"/v1/links/{link['id']}")["status"] == "completed"
    assert shop.events(link["id"]) == ["link.created", "link.completed"]
    assert shop.http.get(link["url"]).status_code == 410, "nobody else can"
    paid = shop.rows("SELECT id FROM payments WHERE link_id = %s AND status = 'succeeded'", link["id"])
    assert len(paid) == PLACES
