"""What payers choose, answer and meet on the pages of links beyond a fixed price."""

import re
from typing import Any

import httpx
import pytest

from tests.support.shop import EMAIL, NAME, Payer, Shop

ITEMS: dict[str, Any] = {
    "amount_minor": None,
    "line_items": [
        {
            "name": "Oak chair",
            "quantity": 2,
            "unit_amount_minor": 4500,
            "adjustable_quantity": {"min": 1, "max": 10},
            "tax": {"name": "VAT", "rate_percent": "19", "is_inclusive": True},
            "discount": {"percent": "10"},
        },
        {"name": "Delivery", "unit_amount_minor": 1000},
    ],
    "currency_options": [{"currency": "SEK", "unit_amounts_minor": [51000, 11000]}],
}
CHOSEN: dict[str, Any] = {
    "amount_minor": None,
    "usage": "multi",
    "customer_amount": {"min_minor": 500, "max_minor": 50000, "preset_minor": 2050},
}
ASKING: dict[str, Any] = {
    "collect": ["name", "phone", "address"],
    "custom_fields": [
        {"key": "size", "label": "Size", "type": "dropdown", "is_required": True, "options": ["S", "M"]},
        {"key": "count", "label": "Guests", "type": "number"},
        {"key": "terms", "label": "I agree", "type": "checkbox", "is_required": True},
        {"key": "note", "label": "Note", "type": "text"},
    ],
}
ANSWERS = {
    "phone": "+353 1 234 5678",
    "line1": "ZEBRAFISH Street 1",
    "postal_code": "D01",
    "city": "Dublin",
    "country": "IE",
    "field_size": "M",
    "field_count": "3",
    "field_terms": "yes",
    "field_note": "ZEBRAFISH-note",
}
HEADERS = {"Accept-Language": "en-IE"}


def choose(shop: Shop, link: dict[str, Any], **fields: str) -> httpx.Response:
    return shop.http.post(f"{link['url']}/sessions", data=fields, headers=HEADERS)


def opened(shop: Shop, link: dict[str, Any], **fields: str) -> Payer:
    answer = choose(shop, link, **fields)
    assert answer.status_code == 303, answer.text
    return Payer(shop, link, shop.web_url + answer.headers["Location"])


@pytest.mark.parametrize(("entered", "amount_minor"), [("5", 500), ("12.50", 1250), ("29.99", 2999), (" 7.5 ", 750)])
def test_a_payer_pays_the_amount_that_the_payer_chose(shop: Shop, entered: str, amount_minor: int) -> None:
    link = shop.create_link(**CHOSEN)
    page = shop.http.get(link["url"], headers=HEADERS)
    assert 'value="20.50"' in page.text
    assert "€5.00" in page.text
    payer = opened(shop, link, amount=entered)
    payer.pay()
    payment = shop.payment(link)
    assert (payment["status"], payment["amount_minor"]) == ("succeeded", amount_minor)


@pytest.mark.parametrize("entered", ["", "4.99", "500.01", "12.505", "1e3", "-5", "12,5x", "٣", "NaN", "9" * 30])
def test_an_amount_that_cannot_be_is_asked_for_again(shop: Shop, entered: str) -> None:
    link = shop.create_link(**CHOSEN)
    answer = choose(shop, link, amount=entered)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert shop.rows("SELECT FROM checkout_sessions WHERE link_id = %s", link["id"]) == []


def test_a_payer_chooses_quantities_and_currency(shop: Shop) -> None:
    link = shop.create_link(**ITEMS)
    assert link["amount_minor"] == 8100 + 1000
    page = shop.http.get(link["url"], headers=HEADERS).text
    assert "Oak chair" in page
    assert "€91.00" in page
    payer = opened(shop, link, quantity_0="3", quantity_1="7", currency="SEK")
    page = payer.page().text
    assert "Oak chair" in page
    assert "1,377.00" in page.replace("\xa0", " "), "three chairs, less 10 %"
    payer.pay()
    payment = shop.payment(link)
    # the second quantity is not the payer's to choose
    assert (payment["amount_minor"], payment["currency"]) == (137700 + 11000, "SEK"), (
        "the second quantity is not theirs"
    )


@pytest.mark.parametrize(
    "fields", [{"quantity_0": "11"}, {"quantity_0": "0"}, {"quantity_0": "x"}, {"currency": "JPY"}]
)
def test_a_choice_that_is_not_offered_is_refused(shop: Shop, fields: dict[str, str]) -> None:
    assert choose(shop, shop.create_link(**ITEMS), **fields).status_code == 422


def test_answers_are_asked_for_and_kept_sealed(shop: Shop) -> None:
    link = shop.create_link(**ASKING)
    payer = shop.payer(link)
    form = payer.form("4242424242424242")
    refused = payer.submit(form)
    assert refused.status_code == 422
    wrong = set(re.findall(r'id="(\w+)-note"[^>]*>[^<\s]', refused.text)) - {"email"}
    assert wrong == {"phone", "line1", "postal_code", "city", "country", "field_size", "field_terms"}
    assert payer.submit(form | ANSWERS | {"field_size": "XL"}).status_code == 422, "not one of the options"
    assert payer.submit(form | ANSWERS | {"field_count": "three"}).status_code == 422
    assert payer.submit(form | ANSWERS).status_code == 303
    assert shop.payment(link)["status"] == "succeeded"
    [session] = shop.rows(
        "SELECT subject_id, payer, s::text AS row FROM checkout_sessions s WHERE link_id = %s", link["id"]
    )
    outbox = shop.rows("SELECT string_agg(outbox::text, '') AS all FROM outbox")[0]["all"]
    assert "ZEBRAFISH" not in session["row"] + outbox
    sealed = session["payer"] | {"subject": session["subject_id"]}
    assert shop.worker.vault.open_json(sealed) == {
        "email": EMAIL,
        "name": NAME,
        "phone": "+353 1 234 5678",
        "address": {"line1": "ZEBRAFISH Street 1", "postal_code": "D01", "city": "Dublin", "country": "IE"},
        "custom_fields": {"size": "M", "count": "3", "terms": "yes", "note": "ZEBRAFISH-note"},
    }  # fmt: skip


def test_a_name_is_asked_for_only_if_wanted(shop: Shop) -> None:
    payer = shop.payer(shop.create_link(collect=[]))
    assert 'name="name"' not in payer.page().text
    assert payer.submit(payer.form("4242424242424242", name="")).status_code == 303


def test_afterwards_a_payer_meets_the_message_or_the_merchants_page(shop: Shop) -> None:
    payer = shop.payer(shop.create_link(after_completion={"type": "message", "message": "See you <soon>!"}))
    payer.pay()
    assert "See you &lt;soon&gt;!" in payer.come_back().text
    url = "https://shop.example/thanks?p={PAYMENT_ID}&x=1"
    payer = shop.payer(shop.create_link(after_completion={"type": "redirect", "url": url}))
    payer.pay()
    there = f"https://shop.example/thanks?p={shop.payment(payer.link)['id']}&amp;x=1"
    page = payer.come_back().text
    assert f'content="3;url={there}"' in page
    assert f'href="{there}"' in page


def test_a_page_speaks_the_links_language_and_wears_its_colours(shop: Shop) -> None:
    branding = {"colour": "#ffd400", "font": "serif", "display_name": "Ada's Chairs", "footer": "Ada GmbH, Berlin"}
    link = shop.create_link(locale="de-DE", branding=branding)
    page = shop.http.get(link["url"], headers=HEADERS)
    assert '<html lang="de-DE">' in page.text
    assert "Ada&#39;s Chairs" in page.text
    assert "Ada GmbH, Berlin" in page.text
    css = shop.http.get(f"{shop.web_url}/brand/ffd400-serif.css")
    assert "/brand/ffd400-serif.css" in page.text
    assert css.headers["Content-Type"].startswith("text/css")
    assert "--on-brand:#0f172a" in css.text, "dark text on yellow"
    assert shop.http.get(f"{shop.web_url}/brand/zzzzzz-serif.css").status_code == 404
