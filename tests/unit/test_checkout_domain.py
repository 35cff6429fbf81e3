from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest

from regions import texts
from regions.errors import ConfigurationError
from regions.ids import new_id
from regions.region import load_region
from web.checkout.csrf import csrf_token, is_csrf_token
from web.checkout.domain import (
    CAMPAIGN,
    CHANNEL,
    LinkState,
    clean,
    device_class,
    is_email,
    is_name,
    is_token,
    link_state,
    negotiate_locale,
    session_end,
)
from web.checkout.mandates import agreement
from web.checkout.schemas import PayForm
from web.checkout.texts import LANGUAGES, texts_for

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "expires_at", "state"),
    [
        ("active", None, LinkState.OPEN),
        ("active", NOW + timedelta(microseconds=1), LinkState.OPEN),
        ("active", NOW, LinkState.ENDED),
        ("deactivated", None, LinkState.ENDED),
        ("completed", NOW - timedelta(days=1), LinkState.PAID),
    ],
)
def test_a_link_is_open_until_its_moment_comes(status: str, expires_at: datetime | None, state: LinkState) -> None:
    assert link_state(status, expires_at, NOW) is state


def test_a_session_ends_with_its_link_at_the_latest() -> None:
    assert session_end(NOW, None) == NOW + timedelta(hours=1)
    assert session_end(NOW, NOW + timedelta(minutes=5)) == NOW + timedelta(minutes=5)
    assert session_end(NOW, NOW + timedelta(days=5)) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148", "mobile"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/130 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Linux; Android 15; SM-X910) Chrome/130 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/130", "desktop"),
        ("WhatsApp/2.23 LinkPreview", "bot"),
        ("curl/8", "unknown"),
        ("", "unknown"),
    ],
)
def test_devices_are_told_apart_coarsely(agent: str, device: str) -> None:
    assert device_class(agent) == device


def test_the_payers_language_is_met_whole_then_in_part_then_not() -> None:
    offered = ["en-IE", "de-DE"]
    assert negotiate_locale(["de-DE", "en"], offered, "en-IE") == "de-DE"
    assert negotiate_locale(["de-AT"], offered, "en-IE") == "de-DE"
    assert negotiate_locale(["pt-BR"], offered, "en-IE") == "en-IE"
    assert negotiate_locale([], offered, "en-IE") == "en-IE"


@pytest.mark.parametrize("value", ["a@b.de", "ada.lovelace+x@mail.example.com", "ü@bücher.example"])
def test_addresses_that_mail_could_reach(value: str) -> None:
    assert is_email(value)


@pytest.mark.parametrize(
    "value", ["", "a", "a@b", "@b.de", "a@.de", "a b@c.de", "a@b..de", "a@b.de\n", f"{'a' * 250}@b.de", "a@b@c.de"]
)
def test_addresses_that_mail_could_not_reach(value: str) -> None:
    assert not is_email(value)


def test_names_and_tokens_have_a_form() -> None:
    assert is_name("José Núñez")
    assert not is_name("")
    assert not is_name("a\x00b")
    assert not is_name("a" * 201)
    assert is_token("")
    assert is_token("tok_abc-DEF.1")
    assert not is_token("tok abc")
    assert not is_token("a" * 256)


def test_attribution_that_does_not_fit_is_dropped() -> None:
    assert clean(CHANNEL, "qr") == "qr"
    assert clean(CHANNEL, "QR") is None
    assert clean(CAMPAIGN, "Spring.26") == "Spring.26"
    assert clean(CAMPAIGN, "a\n") is None
    assert clean(CAMPAIGN, None) is None


def test_a_csrf_token_belongs_to_one_session() -> None:
    token = csrf_token(b"p" * 32, "session-a")

    assert is_csrf_token(b"p" * 32, "session-a", token)
    assert not is_csrf_token(b"p" * 32, "session-b", token)
    assert not is_csrf_token(b"q" * 32, "session-a", token)
    assert not is_csrf_token(b"p" * 32, "session-a", "")
    assert not is_csrf_token(b"p" * 32, "session-a", "é" * 64)


def test_a_form_never_shows_what_it_holds() -> None:
    form = PayForm.read(
        {"csrf": "c", "email": " ada@example.com ", "name": " Ada   Lovelace ", "payment_token": "tok_1"}, {}
    )

    assert (form.email, form.name) == ("ada@example.com", "Ada Lovelace")
    assert form.faults() == {}
    assert "ada" not in repr(form).lower()
    assert set(PayForm.read({}, {}).faults()) == {"email", "name"}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_can_say_everything(language: str) -> None:
    t = texts_for(language)

    for key in t.texts:
        mandate = {"creditor": "C", "creditor_id": "I", "reference": "R", "days": "14", "ceiling": "15"}
        assert t(key, merchant="M", amount="A", date="D", id="I", least="L", most="M", **mandate)
    assert t.failure("card_declined") != t.failure("no_such_code") == t.failure(None)


def test_a_language_that_misses_a_text_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = texts.tomllib.loads

    def without_one(raw: str) -> dict[str, object]:
        read = whole(raw)
        if "Vielen Dank" in raw:
            del read["thank_you"]
        return read

    monkeypatch.setattr(texts.tomllib, "loads", without_one)
    with pytest.raises(ConfigurationError, match=r"de\.toml"):
        texts.load_texts("web.checkout.texts")


@pytest.mark.parametrize(
    ("code", "method", "locale", "scheme", "says"),
    [
        ("eu", "card", "en-IE", "stored_credential", ["Save this card", "Shop"]),
        (
            "eu",
            "sepa_debit",
            "de-DE",
            "sepa_core",
            ["Meridian Payments Europe GmbH", "14 Tage", "MRD-", "DE98ZZZ09999999999"],
        ),
        ("in", "upi", "en-IN", "upi_autopay", ["UPI AutoPay", "at least 1 day", "₹15,000.00"]),
        ("in", "upi", "hi-IN", "upi_autopay", ["UPI AutoPay", "₹15,000.00"]),
    ],
)
def test_a_mandate_is_agreed_to_in_words_of_the_regions_rules(
    code: str, method: str, locale: str, scheme: str, says: list[str]
) -> None:
    session = Mock(id=new_id("session", code), locale=locale, currency="INR" if code == "in" else "EUR")
    shop = Mock()
    shop.name = "Shop"
    found = agreement(load_region(code), shop, session, method)
    again = agreement(load_region(code), Mock(), session, method)
    assert found is not None
    assert again is not None
    assert (found.method, found.scheme, again.reference) == (method, scheme, found.reference)
    assert (found.reference is None) == (scheme != "sepa_core")
    assert [text for text in says if text not in found.words] == []


def test_what_a_region_has_no_rules_for_is_not_agreed_to() -> None:
    assert agreement(load_region("us"), Mock(), Mock(), "upi") is None
