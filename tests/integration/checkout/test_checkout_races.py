"""Payers in a hurry: forms sent twice, two payers on one link, the webhook against the return page."""

from concurrent.futures import ThreadPoolExecutor

from tests.support import shop as cards
from tests.support.shop import Shop


def test_a_form_that_is_sent_twice_pays_once(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.SUCCEED)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: payer.submit(form), range(4)))

    assert {answer.status_code for answer in answers} == {303}
    assert shop.payment(payer.link)["status"] == "succeeded"


def test_a_spent_form_that_comes_again_after_a_decline_starts_nothing(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.DECLINE)

    payer.submit(form)
    again = payer.submit(form)

    assert again.status_code == 303
    assert shop.payment(payer.link)["failure_code"] == "card_declined"


def test_two_payers_race_for_a_link_that_can_be_paid_once(shop: Shop) -> None:
    for _ in range(5):
        link = shop.create_link()
        payers = [shop.payer(link) for _ in range(4)]
        forms = [payer.form(cards.SUCCEED) for payer in payers]

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda pair: pair[0].submit(pair[1]), zip(payers, forms, strict=True)))

        assert min(answer.status_code for answer in answers) == 303
        assert all(answer.status_code in {303, 409, 410} for answer in answers)
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
        list(pool.map(lambda pair: pair[0].submit(pair[1]), zip(payers, forms, strict=True)))

    assert [payment["status"] for payment in shop.payments(link)] == ["succeeded"] * 4
    assert shop.get(f"/v1/links/{link['id']}")["status"] == "active"


def test_return_pages_webhooks_and_resolvers_may_all_come_at_once(shop: Shop) -> None:
    payer = shop.payer()
    answer = payer.pay(cards.CHALLENGE)
    shop.http.post(answer.headers["Location"], data={"outcome": "pass"})
    payment = shop.payment(payer.link)

    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(payer.come_back) for _ in range(3)]
        work += [pool.submit(shop.resolve), pool.submit(shop.deliver_webhooks), pool.submit(shop.deliver_webhooks)]
        for each in work:
            each.result()

    assert shop.events(payment["id"]).count("payment.succeeded") == 1
    assert len(shop.journals(payment["id"])) == 2
