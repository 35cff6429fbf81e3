"""Money of every ISO 4217 currency survives the way from the API to database, event, record and page."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regions.events import envelope_json, parse_envelope
from regions.money import EXPONENTS, Money
from regions.money_text import show_money
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.clock import utc_now
from web.links.domain import AMOUNT_MINOR_MAX

LOCALES = ("en-IE", "de-DE", "fr-FR", "hi-IN", "en-US", "zh-HK")


@pytest.fixture(scope="module")
def worldwide(region_app: Flask, region_database: RegionDatabase) -> Flask:
    """The region's service, were every currency of ISO 4217 taken there."""
    wiring = region_app.extensions["meridian"]
    region = replace(wiring.region, currencies=tuple(sorted(EXPONENTS)))
    return create_app(region, wiring.settings)


def test_there_are_currencies_of_every_kind() -> None:
    assert set(EXPONENTS.values()) == {0, 2, 3, 4}


@settings(
    max_examples=len(EXPONENTS) + 40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    currency=st.sampled_from(sorted(EXPONENTS)),
    amount_minor=st.one_of(
        st.sampled_from([1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, AMOUNT_MINOR_MAX]),
        st.integers(1, AMOUNT_MINOR_MAX),
    ),
    locale=st.sampled_from(LOCALES),
)
def test_money_is_the_same_everywhere(
    worldwide: Flask, region_database: RegionDatabase, currency: str, amount_minor: int, locale: str
) -> None:
    client = worldwide.test_client()
    body: dict[str, Any] = {"amount_minor": amount_minor, "currency": currency, "reference": "MONEY"}
    answer = client.post("/v1/links", json=body, headers={"Authorization": f"Bearer {region_database.secret_key}"})
    assert answer.status_code == 201, answer.text
    link = orjson.loads(answer.data)
    assert (link["amount_minor"], link["currency"]) == (amount_minor, currency)
    with region_database.connect("postgres") as connection:
        query = (
            "SELECT l.amount_minor, l.currency, o.data FROM links l JOIN outbox o ON o.subject = l.id WHERE l.id = %s"
        )
        [(stored, stored_currency, data)] = connection.execute(query, [link["id"]]).fetchall()
    assert (stored, stored_currency) == (amount_minor, currency)
    record = envelope_json(
        event_id="01890a5d-ac96-774b-bcce-b302099a8057", type="link.created", region="eu", subject=link["id"],
        time=utc_now(), merchant_id=region_database.merchant_id, livemode=False, sequence=1, schema_version=2,
        correlation_id=None, data=data, pii=None,
    )  # fmt: skip
    told = parse_envelope(record)["data"]
    assert (told["amount_minor"], told["currency"]) == (amount_minor, currency)
    money = Money(amount_minor, currency)
    assert Money.from_decimal(money.to_decimal(), currency) == money
    digits = "".join(each for each in show_money(money, locale) if each.isdigit())
    assert Decimal(digits) == amount_minor, "the page shows every digit of the minor unit, and no more"
    page = client.get(f"/l/{link['url'].rpartition('/')[2]}", headers={"Accept-Language": "en-IE"})
    assert page.status_code == 200
    assert show_money(money, "en-IE") in page.text
