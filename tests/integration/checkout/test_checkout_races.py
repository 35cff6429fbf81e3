"""Payers in a hurry: forms sent twice, two payers on one link, the webhook against the return page."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support import shop as cards
from tests.support.shop import Shop


@pytest.mark.parametrize("usage", ["single", "multi"])
def test_a_form_that_is_sent_twice_pays_once(shop: Shop, usage: str) -> None:
    payer = shop.payer(shop.create_link(usage=usage))
    form = payer.form(cards.SUCCEED)

    session = "SELECT 1 FROM checkout_sessions WHERE link_id = %s FOR UPDATE"
    answers = shop.race(session, payer.link["id"], [lambda: payer.submit(form)] * 4)

    assert {answer.status_code for answer in answers} == {303}
    assert shop.payment(payer.link)["status"] == "succeeded"


def test_a_spent_form_that_comes_again_after_a_decline_starts_nothing(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.DECLINE)

    payer.submit(form)
    again = payer.submit(form)

    assert again.status_code == 303
    assert shop.payment(payer.link)["failure_code"] == "card_declined"


def test_payers_race_for_a_link_that_can_be_paid_once(shop: Shop) -> None:
    link = shop.create_link()
    payers = [shop.payer(link) for _ in range(4)]
    calls = [partial(payer.submit, payer.form(cards.SUCCEED)) for payer in payers]

    answers = shop.race("SELECT 1 FROM links WHERE id = %s FOR UPDATE", link["id"], calls)

    assert sorted(answer.status_code for answer in answers)[:2] in ([303, 409], [303, 410])
    assert [payment["status"] for payment in shop.payments(link)] == ["succeeded"]


def test_a_second_payer_waits_while_the_first_is_at_the_bank(shop: Shop) -> None:
    link = shop.create_link()
    first, second = shop.payer(link), shop.payer(link)
    answer = first.pay(cards.CHALLENGE)

    busy = second.submit(second.form(cards.SUCCEED))
    assert busy.status_code == 409
    assert "Someone is paying this right now" in busy.text
    first.challenge(answer, "pass")
    paid = second.page()

    assert paid.status_code == 410
    assert "already been paid" in paid.text


def test_a_link_for_many_payments_is_paid_by_many(shop: Shop) -> None:
    link = shop.create_link(usage="multi")
    payers = [shop.payer(link) for _ in range(4)]
    forms = [payer.form(cards.SUCCEED) for payer in payers]

    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(payer.submit, form) for payer, form in zip(payers, forms, strict=True)]:
            work.result()

    assert [payment["status"] for payment in shop.payments(link)] == ["succeeded"] * 4
    assert shop.get(f"/v1/links/{link['id']}")["status"] == "active"


def test_return_pages_webhooks_and_resolvers_may_all_come_at_once(shop: Shop) -> None:
    payer = shop.payer()
    answer = payer.pay(cards.CHALLENGE)
    shop.http.post(answer.headers["Location"], data={"outcome": "pass"})
    payment = shop.payment(payer.link)

    calls = [payer.come_back, payer.come_back, payer.come_back, shop.resolve, shop.deliver_webhooks]
    shop.race("SELECT 1 FROM payments WHERE id = %s FOR UPDATE", payment["id"], calls)

    assert shop.events(payment["id"]).count("payment.succeeded") == 1
    assert len(shop.journals(payment["id"])) == 2
