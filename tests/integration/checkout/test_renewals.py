"""Renewals on a real service, worker and simulated gateway: charged when due, once a period, or by a link."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from regions.region_parts import Mandate
from tests.support import shop as cards
from tests.support.ids import other_than
from tests.support.shop import Shop
from web.background import renewing
from web.gateways.domain import Answer, Fact
from web.routing.watched import WatchedGateway

INSUFFICIENT = 7_777_795
LOST = 7_777_741
CHALLENGE = 7_777_703
TIMEOUT_AFTER = 7_777_734
TIMEOUT_BEFORE = 7_777_711


@pytest.fixture(scope="module")
def method(open_for_business: Shop) -> str:
    """A payer's card that may be charged again."""
    shop = open_for_business
    shop.forget_calls()
    offer(shop, is_offered=True)
    payer = shop.payer()
    payer.pay(cards.SUCCEED, save="yes")
    offer(shop, is_offered=False)
    return saved_by(shop, shop.payment(payer.link))


@pytest.fixture(autouse=True)
def alone(shop: Shop) -> Iterator[None]:
    """Nothing is due that another test has made."""
    shop.execute("UPDATE renewals SET status = 'ended', ended_at = now() WHERE status = 'active'")
    shop.execute("UPDATE renewal_periods SET status = 'cancelled' WHERE status IN ('due', 'charging', 'link')")
    yield
    offer(shop, is_offered=False)


def offer(shop: Shop, *, is_offered: bool) -> None:
    assert shop.post("/v1/payment_method_settings", is_offered=is_offered).status_code == 200


def saved_by(shop: Shop, payment: dict[str, Any]) -> str:
    statement = "SELECT s.id FROM saved_methods s JOIN attempts a ON a.id = s.attempt_id WHERE a.payment_id = %s"
    return str(shop.rows(statement, payment["id"])[0]["id"])


def renew(shop: Shop, **fields: Any) -> dict[str, Any]:
    body = {"amount_minor": 1999, "currency": "EUR", "reference": "SUB-1"} | fields
    answer = shop.post("/v1/renewals", **body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def work(shop: Shop, *, is_resolved: bool = True) -> None:
    """Let the worker do all that is due; charges whose answer a busy machine was too slow for are looked up."""
    while any([renewing.step_open(shop.worker), renewing.step_charge(shop.worker), renewing.step_unpaid(shop.worker)]):
        pass
    if is_resolved:
        shop.resolve()


def periods(shop: Shop, renewal: dict[str, Any]) -> list[dict[str, Any]]:
    return list(reversed(shop.get(f"/v1/renewals/{renewal['id']}/periods")["data"]))


def later(shop: Shop, renewal: dict[str, Any], interval: str = "1 month") -> None:
    """Pretend that this much time has passed for one renewal."""
    for table, key, columns in (
        ("renewals", "id", ("starts_at", "next_opens_at")),
        ("renewal_periods", "renewal_id", ("due_at", "try_after", "notified_at", "link_expires_at")),
    ):
        moved = ", ".join(f"{column} = {column} - CAST(%s AS interval)" for column in columns)
        shop.execute(f"UPDATE {table} SET {moved} WHERE {key} = %s", *[interval] * len(columns), renewal["id"])


def charges(shop: Shop, period: dict[str, Any]) -> list[dict[str, Any]]:
    """What the gateway itself has charged for a period, over all its payments."""
    statement = "SELECT a.id FROM attempts a JOIN payments p ON p.id = a.payment_id WHERE p.link_id = %s"
    made = [one for row in shop.rows(statement, period["link_id"]) for one in shop.sandbox_payments(str(row["id"]))]
    return [one for one in made if one["status"] == "captured"]


def test_a_due_period_is_charged_once_and_the_next_one_waits_for_its_time(shop: Shop, method: str) -> None:
    renewal = renew(shop, payment_method_id=method, periods_max=2)
    work(shop)
    (first,) = periods(shop, renewal)
    assert (first["status"], first["tries"]) == ("paid", 0)
    assert len(charges(shop, first)) == 1
    payment = shop.get(f"/v1/payments/{first['payment_id']}")
    assert (payment["status"], payment["captured_minor"]) == ("succeeded", 1999)
    assert next(entry[1:] for entry in shop.journals(str(first["payment_id"]))) == ("gateway_clearing:sandbox", 1999)
    work(shop)
    assert len(periods(shop, renewal)) == 1
    later(shop, renewal, "32 days")
    work(shop)
    second = periods(shop, renewal)[1]
    assert second["status"] == "paid"
    assert shop.get(f"/v1/links/{second['link_id']}")["regenerated_from"] == first["link_id"]
    ended = shop.get(f"/v1/renewals/{renewal['id']}")
    assert (ended["status"], ended["ended_reason"], ended["next_due_at"]) == ("ended", "completed", None)
    assert shop.events(renewal["id"]) == ["renewal.created", "renewal.paid", "renewal.paid", "renewal.ended"]


def test_a_decline_that_may_be_good_later_is_tried_again_and_then_the_payer_gets_a_link(
    shop: Shop, method: str
) -> None:
    renewal = renew(shop, payment_method_id=method, amount_minor=INSUFFICIENT)
    for tries, hours in ((1, 24), (2, 72), (3, 120)):
        work(shop)
        (period,) = periods(shop, renewal)
        assert (period["status"], period["tries"], period["failure_code"]) == ("due", tries, "insufficient_funds")
        shop.execute(
            "UPDATE renewal_periods SET try_after = now() WHERE renewal_id = %s AND try_after"
            " BETWEEN now() + make_interval(hours => %s, mins => -1) AND now() + make_interval(hours => %s)",
            renewal["id"], hours, hours,
        )  # fmt: skip
    work(shop)
    (period,) = periods(shop, renewal)
    assert (period["status"], period["tries"], period["link_reason"]) == ("link", 4, "insufficient_funds")
    told = shop.events(renewal["id"])
    assert told == ["renewal.created", *["renewal.charge_failed"] * 4, "renewal.link_ready"]
    assert shop.get(f"/v1/renewals/{renewal['id']}")["refused_code"] is None


@pytest.mark.parametrize(("amount", "code"), [(LOST, "lost_or_stolen"), (CHALLENGE, "authentication_required")])
def test_a_decline_that_asks_for_the_payer_leads_to_the_link_at_once(
    shop: Shop, method: str, amount: int, code: str
) -> None:
    is_for_good = amount == LOST
    renewal = renew(shop, payment_method_id=method, amount_minor=amount, link_days=3)
    work(shop)
    (period,) = periods(shop, renewal)
    assert (period["status"], period["tries"], period["link_reason"]) == ("link", 1, code)
    assert shop.get(f"/v1/renewals/{renewal['id']}")["refused_code"] == (code if is_for_good else None)
    link = shop.get(f"/v1/links/{period['link_id']}")
    assert (link["status"], link["expires_at"]) == ("active", period["link_expires_at"])
    shop.execute("UPDATE renewals SET amount_minor = 1999 WHERE id = %s", renewal["id"])
    later(shop, renewal, "32 days")
    work(shop)
    first, second = periods(shop, renewal)
    assert first["status"] == "unpaid"
    assert second["status"] == ("link" if is_for_good else "paid")


def test_a_payer_pays_the_link_saves_a_card_and_is_charged_on_it_from_then_on(shop: Shop) -> None:
    offer(shop, is_offered=True)
    renewal = renew(shop)
    work(shop)
    (period,) = periods(shop, renewal)
    assert (period["status"], period["link_reason"]) == ("link", "no_chargeable_method")
    payer = shop.payer(shop.get(f"/v1/links/{period['link_id']}"))
    payer.pay(cards.SUCCEED, save="yes")
    held = shop.get(f"/v1/renewals/{renewal['id']}")
    payment = shop.payment(payer.link)
    assert periods(shop, renewal)[0]["payment_id"] == payment["id"]
    assert held["payment_method_id"] == saved_by(shop, payment)
    assert held["mandate"] == "stored_credential"
    later(shop, renewal, "32 days")
    work(shop)
    assert [each["status"] for each in periods(shop, renewal)] == ["paid", "paid"]
    told = shop.events(renewal["id"])
    assert told == ["renewal.created", "renewal.link_ready", "renewal.paid", "renewal.updated", "renewal.paid"]


def test_workers_at_once_charge_a_period_once(shop: Shop, method: str) -> None:
    made = [renew(shop, payment_method_id=method) for _ in range(4)]
    while renewing.step_open(shop.worker):
        pass
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, shop) for _ in range(4)]:
            done.result()
    for renewal in made:
        (period,) = periods(shop, renewal)
        assert period["status"] == "paid"
        assert len(charges(shop, period)) == 1


@pytest.mark.parametrize("amount", [TIMEOUT_AFTER, TIMEOUT_BEFORE])
def test_a_lost_answer_charges_no_second_time(shop: Shop, method: str, amount: int) -> None:
    renewal = renew(shop, payment_method_id=method, amount_minor=amount)
    for _ in range(2):
        work(shop, is_resolved=False)
    (period,) = periods(shop, renewal)
    assert period["status"] == "charging"
    assert len(shop.rows("SELECT FROM payments WHERE link_id = %s", period["link_id"])) == 1
    shop.age_attempt(str(shop.attempt_of({"id": period["payment_id"]})["id"]))
    shop.resolve()
    (period,) = periods(shop, renewal)
    if amount == TIMEOUT_AFTER:
        assert period["status"] == "paid"
        assert len(charges(shop, period)) == 1
    else:  # it never arrived: an outage of the way, which costs no try
        assert (period["status"], period["tries"], period["failure_code"]) == ("due", 0, "not_processed")


def test_a_renewal_waits_while_its_gateway_is_out_and_is_charged_once_it_is_back(shop: Shop, method: str) -> None:
    made = [renew(shop, payment_method_id=method) for _ in range(3)]
    shop.execute(
        "INSERT INTO gateway_circuits (gateway, state, open_until, open_count, changed_at)"
        " VALUES ('sandbox', 'open', now() + interval '1 hour', 1, now())"
        " ON CONFLICT (gateway) DO UPDATE SET state = 'open', open_until = excluded.open_until"
    )
    work(shop)
    assert {periods(shop, renewal)[0]["status"] for renewal in made} == {"due"}
    assert {periods(shop, renewal)[0]["payment_id"] for renewal in made} == {None}
    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    work(shop)
    assert {periods(shop, renewal)[0]["status"] for renewal in made} == {"paid"}


def test_a_shut_door_costs_no_try(shop: Shop, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = shop.worker.gateways["sandbox"]
    assert isinstance(watched, WatchedGateway)
    monkeypatch.setattr(watched.watched, "authorise", lambda _: Answer(Fact.DECLINED, code="gateway_unreachable"))
    renewal = renew(shop, payment_method_id=method)
    work(shop)
    (period,) = periods(shop, renewal)
    assert (period["status"], period["tries"]) == ("due", 0)
    monkeypatch.undo()
    shop.forget_calls()
    later(shop, renewal, "2 minutes")
    work(shop)
    assert periods(shop, renewal)[0]["status"] == "paid"


def test_the_payer_at_the_link_and_the_worker_pay_a_period_once(shop: Shop, method: str) -> None:
    renewal = renew(shop, payment_method_id=method, amount_minor=INSUFFICIENT)
    work(shop)
    (period,) = periods(shop, renewal)
    link = shop.get(f"/v1/links/{period['link_id']}")
    shop.execute("UPDATE links SET amount_minor = 1999 WHERE id = %s", link["id"])
    payer = shop.payer(link)
    answer = payer.pay(cards.CHALLENGE)  # at the bank now
    later(shop, renewal, "25 hours")
    work(shop)
    (waiting,) = periods(shop, renewal)
    assert (waiting["status"], waiting["payment_id"]) == ("due", period["payment_id"])
    payer.challenge(answer, "pass")
    (paid,) = periods(shop, renewal)
    assert paid["status"] == "paid"
    assert len(charges(shop, paid)) == 1
    later(shop, renewal, "2 minutes")
    work(shop)
    assert len(shop.payments(link)) == 2


def test_cancelling_ends_links_and_tries_but_books_what_is_under_way(shop: Shop, method: str) -> None:
    waiting, linked = renew(shop, payment_method_id=method, amount_minor=INSUFFICIENT), renew(shop)
    flying = renew(shop, payment_method_id=method, amount_minor=TIMEOUT_AFTER)
    work(shop, is_resolved=False)
    for renewal in (waiting, linked, flying):
        for _ in range(2):
            answer = shop.post(f"/v1/renewals/{renewal['id']}/cancel")
            assert (answer.status_code, answer.json()["ended_reason"]) == (200, "cancelled_by_merchant")
        later(shop, renewal, "40 days")
    work(shop, is_resolved=False)
    assert periods(shop, waiting)[0]["status"] == "cancelled"
    (gone,) = periods(shop, linked)
    assert gone["status"] == "cancelled"
    assert shop.get(f"/v1/links/{gone['link_id']}")["status"] == "deactivated"
    assert periods(shop, flying)[0]["status"] == "charging"
    shop.resolve()
    assert [each["status"] for each in periods(shop, flying)] == ["paid"]
    assert shop.events(waiting["id"]).count("renewal.ended") == 1


def test_a_mandate_wants_notice_and_has_a_ceiling(shop: Shop, method: str) -> None:
    rbi = Mandate("card", "rbi_e_mandate", 24, 2000, 35, "for tests", "https://example.com")
    strict = replace(shop.worker.region, mandates=(rbi,))
    indian = replace(shop, worker=replace(shop.worker, region=strict))
    renewal, dear = renew(shop, payment_method_id=method), renew(shop, payment_method_id=method, amount_minor=2001)
    work(indian)
    (period,) = periods(shop, renewal)
    assert (period["status"], period["payment_id"]) == ("due", None)
    assert period["notified_at"] is not None
    later(shop, renewal, "23 hours")
    work(indian)
    assert periods(shop, renewal)[0]["payment_id"] is None
    later(shop, renewal, "1 hour")
    work(indian)
    assert periods(shop, renewal)[0]["status"] == "paid"
    assert shop.events(renewal["id"]) == ["renewal.created", "renewal.upcoming", "renewal.paid"]
    (asked,) = periods(shop, dear)
    assert (asked["status"], asked["link_reason"], asked["tries"]) == ("link", "above_mandate_ceiling", 0)


def test_an_unpaid_period_may_end_the_renewal(shop: Shop) -> None:
    renewal = renew(shop, collection="link", on_unpaid="end")
    work(shop)
    later(shop, renewal, "8 days")
    work(shop)
    assert periods(shop, renewal)[0]["status"] == "unpaid"
    assert shop.get(f"/v1/renewals/{renewal['id']}")["ended_reason"] == "unpaid"


def test_changing_a_renewal_and_what_it_refuses(shop: Shop, method: str) -> None:
    renewal = renew(shop, payment_method_id=method, amount_minor=LOST)
    work(shop)
    path = f"{shop.web_url}/v1/renewals/{renewal['id']}"
    changed = shop.http.patch(path, json={"amount_minor": 2499, "payment_method_id": method}, headers=shop.api).json()
    assert (changed["amount_minor"], changed["refused_code"]) == (2499, None)
    for wrong in ({"payment_method_id": other_than(method)}, {"amount_minor": 0}, {"collection": "never"}):
        assert shop.http.patch(path, json=wrong, headers=shop.api).status_code == 422, wrong
    past = {"amount_minor": 1, "currency": "EUR", "reference": "x", "starts_at": "2020-01-01T00:00:00Z"}
    assert shop.post("/v1/renewals", **past).status_code == 422
    assert shop.post("/v1/renewals", **{**past, "starts_at": None, "currency": "JPY"}).status_code == 422
    shop.post(f"/v1/renewals/{renewal['id']}/cancel")
    assert shop.http.patch(path, json={"amount_minor": 1}, headers=shop.api).status_code == 409
