"""A region: a legal and network home with its own database, broker, lake, vault and rules. Passed explicitly, always.

What a region is stands in `catalog/<code>.toml` and is checked whole; where its parts run stands in the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from regions.environment import RegionEnvironment
from regions.errors import ConfigurationError
from regions.ids import REGION_PATTERN
from regions.money import EXPONENTS
from regions.region_parts import (
    BankAccount,
    GatewayAccount,
    Mandate,
    PaymentMethod,
    PayoutAccount,
    Residency,
    Sca,
    Texts,
    read_bank_account,
    read_gateway,
    read_mandate,
    read_method,
    read_payouts,
    read_residency,
    read_sca,
    read_texts,
)
from regions.retention import RetentionRule, read_rules
from regions.toml_reader import TomlReader

CATALOG: Final = Path(__file__).parent / "catalog"

_LOCALE = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?"
_NAME = r"[a-z][a-z0-9_]*"


@dataclass(frozen=True)
class Region(RegionEnvironment):
    """One region, whole. `legal_home` is the company that contracts; `country` its ISO 3166 code."""

    code: str
    name: str
    legal_home: str
    country: str
    currencies: tuple[str, ...]
    default_locale: str
    locales: tuple[str, ...]
    timezone: str
    payment_methods: tuple[PaymentMethod, ...]
    gateways: tuple[GatewayAccount, ...]
    bank_accounts: tuple[BankAccount, ...]
    sca: Sca
    texts: Mapping[str, Texts] = field(hash=False)
    payouts: PayoutAccount
    mandates: tuple[Mandate, ...]
    residency: Residency
    retention: tuple[RetentionRule, ...]

    @property
    def tz(self) -> ZoneInfo:
        """The time zone of business dates."""
        return ZoneInfo(self.timezone)

    def accounting_date(self, at: datetime) -> date:
        """The business date of a moment."""
        if at.tzinfo is None:
            raise ValueError("a time without a time zone is not a moment")
        return at.astimezone(self.tz).date()

    def day_bounds(self, day: date) -> tuple[datetime, datetime]:
        """The moments in UTC at which a business date starts and ends; the end is not part of it."""
        return self._midnight(day), self._midnight(day + timedelta(days=1))

    def gateways_for(self, method: str) -> tuple[GatewayAccount, ...]:
        """The accounts that take a payment method, in the order to try them."""
        return tuple(account for account in self.gateways if method in account.methods)

    def mandate_of(self, method: str) -> Mandate | None:
        """Under which rules a saved method of a kind is charged without its payer; None: never."""
        return next((mandate for mandate in self.mandates if mandate.method == method), None)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.tz).astimezone(UTC)


def load_region(code: str) -> Region:
    """One region of the catalog that is shipped; ConfigurationError when there is none."""
    regions = _shipped()
    if code not in regions:
        raise ConfigurationError(f"There is no region {code!r}: the catalog has {', '.join(regions)}")
    return regions[code]


def load_catalog(folder: Path | None = None) -> dict[str, Region]:
    """Every region of a folder of TOML files, by code; one bad field anywhere is a ConfigurationError."""
    paths = sorted((folder or CATALOG).glob("*.toml"))
    if not paths:
        raise ConfigurationError(f"{folder or CATALOG}: there is no region in this folder")
    return {path.stem: read_region(path) for path in paths}


def region_codes() -> tuple[str, ...]:
    """The codes of the catalog that is shipped, sorted."""
    return tuple(_shipped())


@cache
def _shipped() -> dict[str, Region]:
    return load_catalog()


def read_region(path: Path) -> Region:
    """One region's file."""
    top = TomlReader.open(path)
    if (code := top.text("code", pattern=REGION_PATTERN)) != path.stem:
        top.refuse("code", f"is {code!r}, but the file is called {path.name}")
    currencies = top.texts("currencies", choices=EXPONENTS)
    locales = top.texts("locales", pattern=_LOCALE)
    methods = tuple(read_method(table, currencies) for table in top.tables("payment_methods"))
    _refuse_repeats(top, "payment_methods", [method.name for method in methods])
    gateways = tuple(read_gateway(table, methods) for table in top.tables("gateways"))
    _refuse_repeats(top, "gateways", [str(account.order) for account in gateways])
    _refuse_repeats(top, "gateways", [account.name for account in gateways])
    _refuse_repeats(top, "gateways", [f"{account.adapter}/{account.account}" for account in gateways])
    for name in sorted({m.name for m in methods} - {name for account in gateways for name in account.methods}):
        top.refuse("gateways", f"has no account that takes {name}")
    banks = tuple(read_bank_account(table) for table in top.tables("bank_accounts"))
    _refuse_repeats(top, "bank_accounts", [f"{bank.account}/{bank.currency}" for bank in banks])
    region = Region(
        code=code,
        name=top.text("name"),
        legal_home=top.text("legal_home"),
        country=top.text("country", pattern="[A-Z]{2}"),
        currencies=currencies,
        default_locale=top.text("default_locale", choices=locales),
        locales=locales,
        timezone=_read_timezone(top),
        payment_methods=methods,
        gateways=tuple(sorted(gateways, key=lambda account: account.order)),
        bank_accounts=banks,
        sca=read_sca(top.table("sca"), currencies),
        texts=read_texts(top.table("texts"), locales),
        payouts=read_payouts(top.table("payouts")),
        mandates=_mandates(top),
        residency=read_residency(top.table("residency")),
        retention=read_rules(top),
    )
    top.finish()
    return region


def _mandates(top: TomlReader) -> tuple[Mandate, ...]:
    mandates = tuple(read_mandate(table) for table in top.tables("mandates"))
    _refuse_repeats(top, "mandates", [mandate.method for mandate in mandates])
    return mandates


def _read_timezone(top: TomlReader) -> str:
    name = top.text("timezone")
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError on a machine that has the data
        return top.refuse("timezone", f"is {name!r}, which is no IANA time zone")
    except KeyError:
        return top.refuse("timezone", f"is {name!r}, which is no IANA time zone, or this machine has no tzdata")


def _refuse_repeats(top: TomlReader, name: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            top.refuse(name, f"has {value} twice")
