from typing import Any, Literal

from regions.region import Region
from regions.region_parts import PaymentMethod
from web.http.contract import Shown, doc


class PaymentMethodObject(Shown):
    """A way to pay that the region has."""

    object: Literal["payment_method"] = doc("What this is.", "payment_method")
    name: str = doc("Its name, as links and payments use it.", "card")
    currencies: list[str] = doc("The currencies that it can move (ISO 4217).", ["EUR"])
    is_pushed: bool = doc("True if the payer moves the money, as with a bank transfer: it comes when it comes.", False)


class PaymentMethodList(Shown):
    """Every way to pay that the region has."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PaymentMethodObject] = doc("The methods, in the order in which payers see them.", [])
    has_more: Literal[False] = doc("Never: the list is whole.", False)


class RegionObject(Shown):
    """What this region is, as far as an integration has to know."""

    object: Literal["region"] = doc("What this is.", "region")
    code: str = doc("The region's code; ids and keys carry it.", "eu")
    name: str = doc("Its name.", "European Union")
    legal_home: str = doc("Who takes payments there.", "Meridian Payments Europe GmbH, Berlin")
    country: str = doc("Where that is (ISO 3166-1).", "DE")
    currencies: list[str] = doc("The currencies that links may ask for (ISO 4217).", ["EUR", "SEK"])
    default_locale: str = doc("The language of pages when nothing else is known.", "en-IE")
    locales: list[str] = doc("The languages that pages have.", ["en-IE", "de-DE"])
    timezone: str = doc("The time zone of business dates.", "Europe/Berlin")
    sca_rule: str = doc("When a card payment asks for strong customer authentication.", "exempt-low-value")
    payment_methods: list[str] = doc("The ways to pay.", ["card"])
    api_base_url: str = doc("Where its API is.", "https://eu.meridian.test")
    other_regions: dict[str, str] = doc(
        "Where the APIs of other regions are, by code.", {"us": "https://us.meridian.test"}
    )


def method_json(region: Region, method: PaymentMethod) -> dict[str, Any]:
    """A method as the API shows it."""
    return {
        "object": "payment_method",
        "name": method.name,
        "currencies": list(method.currencies or region.currencies),
        "is_pushed": method.is_pushed,
    }


def region_json(region: Region, base_url: str, base_urls: dict[str, str]) -> dict[str, Any]:
    """A region as the API shows it."""
    return {
        "object": "region",
        "code": region.code,
        "name": region.name,
        "legal_home": region.legal_home,
        "country": region.country,
        "currencies": list(region.currencies),
        "default_locale": region.default_locale,
        "locales": list(region.locales),
        "timezone": region.timezone,
        "sca_rule": region.sca.rule.value,
        "payment_methods": [method.name for method in region.payment_methods],
        "api_base_url": base_url,
        "other_regions": {code: url for code, url in base_urls.items() if code != region.code},
    }
