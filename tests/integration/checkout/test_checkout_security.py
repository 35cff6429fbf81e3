"""What a stranger, a forged form and a searcher of our stores get: nothing."""

import re

import pytest

from tests.support import shop as cards
from tests.support.canary import search_postgres
from tests.support.shop import EMAIL, NAME, Shop


def test_a_form_must_be_made_for_this_session(shop: Shop) -> None:
    payer, other = shop.payer(), shop.payer()
    stolen = other.form(cards.SUCCEED)["csrf"]

    for csrf in ("", "0" * 64, stolen, "é"):
        answer = payer.submit(payer.form(cards.SUCCEED, csrf=csrf))
        assert answer.status_code == 403
        assert "no longer valid" in answer.text
    assert shop.payments(payer.link) == []


def test_every_payer_page_is_locked_down(shop: Shop) -> None:
    payer = shop.payer()
    pages = [shop.http.get(payer.link["url"]), shop.http.get(payer.session_url)]
    payer.pay(cards.SUCCEED)
    pages += [payer.come_back(), shop.http.get(payer.link["url"]), shop.http.get(f"{shop.web_url}/l/nonsense")]

    assert [page.status_code for page in pages] == [200, 200, 200, 410, 404]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert f"frame-src {shop.sandbox_url};" in policy
        assert "unsafe" not in policy
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in page.headers
        assert page.headers["Content-Type"].startswith("text/html")
        assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|style=", page.text)
        assert re.findall(r' (?:src|href)="(https?:[^"]+)"', page.text) == []


@pytest.mark.parametrize("token", ["nonsense", "a" * 22, "%00", "' OR 1=1"])
def test_a_guessed_session_opens_nothing(shop: Shop, token: str) -> None:
    for answer in (
        shop.http.get(f"{shop.web_url}/c/{token}"),
        shop.http.get(f"{shop.web_url}/c/{token}/return"),
        shop.http.post(f"{shop.web_url}/c/{token}/pay", data={}),
        shop.http.post(f"{shop.web_url}/l/{token}/sessions"),
    ):
        assert answer.status_code == 404
        assert "We cannot find this page" in answer.text


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("email", "no address", "Enter an e-mail address"),
        ("name", "", "Enter your name"),
        ("name", "a\x00b", "Enter your name"),
        ("payment_token", "tok'; DROP TABLE links", "enter your card again"),
    ],
)
def test_a_wrong_field_is_named_on_the_page(shop: Shop, field: str, value: str, text: str) -> None:
    payer = shop.payer()

    answer = payer.submit(payer.form(cards.SUCCEED, **{field: value}))

    assert answer.status_code == 422
    assert text in answer.text
    assert shop.payments(payer.link) == []


def test_a_form_that_is_too_large_is_refused_on_a_page(shop: Shop) -> None:
    payer = shop.payer()

    answer = payer.submit(payer.form(None, name="a" * 100_000))

    assert answer.status_code == 413
    assert answer.headers["Content-Type"].startswith("text/html")
    assert shop.payments(payer.link) == []


def test_what_a_payer_typed_is_shown_again_as_text(shop: Shop) -> None:
    payer = shop.payer()

    answer = payer.submit(payer.form(None, email="no", name='"><script>alert(1)</script>'))

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_link_that_ended_opens_no_session_and_takes_no_payment(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.SUCCEED)
    shop.http.post(f"{shop.web_url}/v1/links/{payer.link['id']}/deactivate", headers=shop.api)

    answers = [
        shop.http.get(payer.link["url"]),
        shop.http.post(f"{payer.link['url']}/sessions"),
        shop.http.get(payer.session_url),
        payer.submit(form),
    ]

    assert [answer.status_code for answer in answers] == [410] * 4
    assert all("no longer open" in answer.text and "Demo GmbH" in answer.text for answer in answers)
    assert shop.payments(payer.link) == []


def test_no_card_number_and_no_personal_data_in_any_table(shop: Shop) -> None:
    link = shop.create_link(reference="CANARY-REF-77")
    payer = shop.payer(link)
    payer.challenge(payer.pay(cards.CHALLENGE), "pass")
    failed = shop.payer()
    failed.pay(cards.DECLINE)
    shop.deliver_webhooks()

    assert search_postgres(shop.database.url, ["CANARY-REF-77"]), "the search finds what is there"
    assert search_postgres(shop.database.url, [EMAIL, "lovelace", NAME, cards.CHALLENGE, cards.DECLINE]) == []
    row = shop.rows("SELECT pii FROM outbox WHERE type = 'payment.created' ORDER BY id DESC LIMIT 1")[0]
    assert shop.worker.vault.open_json(row["pii"]) == {"email": EMAIL, "name": NAME}


def test_one_mailbox_is_one_data_subject(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.SUCCEED, email=EMAIL.upper())
    links = [shop.paid()["link_id"], shop.paid()["link_id"], payer.link["id"]]

    subjects = shop.rows(
        "SELECT DISTINCT s.id, s.email_token FROM data_subjects s JOIN checkout_sessions c ON c.subject_id = s.id"
        " WHERE c.link_id = ANY (%s)",
        links,
    )

    assert len(subjects) == 1
    assert subjects[0]["email_token"].startswith("v1.")
