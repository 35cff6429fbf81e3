"""A region: a legal and network home with its own database, broker, lake, vault and rules. Passed explicitly, always.

What a region is stands in `catalog/<code>.toml` and is checked whole; where its parts run stands in the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from regions.environment import RegionEnvironment
from regions.errors import ConfigurationError
from regions.ids import REGION_PATTERN
from regions.money import EXPONENTS, Money
from regions.retention import RetentionRule, read_rules
from regions.toml_reader import TomlReader

CATALOG: Final = Path(__file__).parent / "catalog"

_LOCALE = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?"
_NAME = r"[a-z][a-z0-9_]*"


class ScaRule(StrEnum):
    """When a card payment needs strong customer authentication."""

    ALWAYS = "always"
    EXEMPT_LOW_VALUE = "exempt-low-value"  # below a threshold the gateway decides
    NONE = "none"  # the gateway decides


class Export(StrEnum):
    """What of the region may reach the global warehouse."""

    COLUMNS = "columns"  # rows, their exportable columns only
    AGGREGATES = "aggregates"  # sums and counts over groups that are large enough


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A way to pay. A pushed method (a bank transfer) is one where the payer moves the money."""

    name: str
    currencies: tuple[str, ...]
    is_pushed: bool


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """Our account at a gateway; `order` 1 is tried first; `adapter` speaks to it, under the region's `name` for it."""

    name: str
    account: str
    order: int
    methods: tuple[str, ...]
    adapter: str


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Our account at a bank, in one currency; `account` is what its statements call it."""

    account: str
    currency: str


@dataclass(frozen=True)
class Sca:
    """The region's rule for strong customer authentication."""

    rule: ScaRule
    exempt_below_minor: Mapping[str, int] = field(default_factory=dict, hash=False)

    def three_ds(self, amount: Money) -> Literal["auto", "force"]:
        """Whether to ask the gateway to challenge this payment, or leave it to the gateway."""
        if self.rule is ScaRule.ALWAYS:
            return "force"
        if self.rule is ScaRule.EXEMPT_LOW_VALUE:
            return "force" if amount.amount_minor >= self.exempt_below_minor.get(amount.currency, 0) else "auto"
        return "auto"


@dataclass(frozen=True, slots=True)
class Texts:
    """What the payer is shown in one locale: consent (what happens with the data), disclosure (who takes the money)."""

    consent: str
    disclosure: str


@dataclass(frozen=True, slots=True)
class PayoutAccount:
    """Our own account that merchants are paid out from, in every currency of the region, and its bank's code."""

    account: str
    bic: str


@dataclass(frozen=True, slots=True)
class Mandate:
    """Under which rules a saved method is charged without its payer.

    The payer is told so many hours before; an amount above `ceiling_minor` (0: none) takes the payer's second factor.
    """

    scheme: str
    notice_hours: int
    ceiling_minor: int
    legal_basis: str
    source: str


@dataclass(frozen=True, slots=True)
class Residency:
    """What may leave the region, and the smallest group an aggregate that leaves may be made of."""

    export: Export
    minimum_group_size: int
    legal_basis: str
    source: str


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
    mandate: Mandate
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
    methods = tuple(_read_method(table, currencies) for table in top.tables("payment_methods"))
    _refuse_repeats(top, "payment_methods", [method.name for method in methods])
    gateways = tuple(_read_gateway(table, methods) for table in top.tables("gateways"))
    _refuse_repeats(top, "gateways", [str(account.order) for account in gateways])
    _refuse_repeats(top, "gateways", [account.name for account in gateways])
    _refuse_repeats(top, "gateways", [f"{account.adapter}/{account.account}" for account in gateways])
    for name in sorted({m.name for m in methods} - {name for account in gateways for name in account.methods}):
        top.refuse("gateways", f"has no account that takes {name}")
    banks = tuple(_read_bank_account(table) for table in top.tables("bank_accounts"))
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
        sca=_read_sca(top.table("sca"), currencies),
        texts=_read_texts(top.table("texts"), locales),
        payouts=_read_payouts(top.table("payouts")),
        mandate=_read_mandate(top.table("mandate")),
        residency=_read_residency(top.table("residency")),
        retention=read_rules(top),
    )
    top.finish()
    return region


def _read_timezone(top: TomlReader) -> str:
    name = top.text("timezone")
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError on a machine that has the data
        return top.refuse("timezone", f"is {name!r}, which is no IANA time zone")
    except KeyError:
        return top.refuse("timezone", f"is {name!r}, which is no IANA time zone, or this machine has no tzdata")


def _read_method(table: TomlReader, currencies: tuple[str, ...]) -> PaymentMethod:
    method = PaymentMethod(
        name=table.text("name", pattern=_NAME),
        currencies=table.texts("currencies", choices=currencies) if table.has("currencies") else currencies,
        is_pushed=table.boolean("is_pushed"),
    )
    table.finish()
    return method


def _read_gateway(table: TomlReader, methods: tuple[PaymentMethod, ...]) -> GatewayAccount:
    account = GatewayAccount(
        name=table.text("name", pattern=_NAME),
        account=table.text("account", pattern=r"[A-Za-z0-9_-]+"),
        order=table.integer("order", minimum=1),
        methods=table.texts("methods", choices=[method.name for method in methods]),
        adapter=table.text("adapter", pattern=_NAME),
    )
    table.finish()
    return account


def _read_bank_account(table: TomlReader) -> BankAccount:
    bank = BankAccount(
        account=table.text("account", pattern=r"[A-Za-z0-9/-]+"), currency=table.text("currency", choices=EXPONENTS)
    )
    table.finish()
    return bank


def _read_sca(table: TomlReader, currencies: tuple[str, ...]) -> Sca:
    rule = ScaRule(table.text("rule", choices=list(ScaRule)))
    thresholds: dict[str, int] = {}
    if rule is ScaRule.EXEMPT_LOW_VALUE:
        amounts = table.table("exempt_below_minor")
        thresholds = {currency: amounts.integer(currency, minimum=1) for currency in currencies}
        amounts.finish()
    table.finish()
    return Sca(rule, thresholds)


def _read_texts(table: TomlReader, locales: tuple[str, ...]) -> dict[str, Texts]:
    texts = {}
    for locale in locales:
        entry = table.table(locale)
        texts[locale] = Texts(consent=entry.text("consent"), disclosure=entry.text("disclosure"))
        entry.finish()
    table.finish()
    return texts


def _read_payouts(table: TomlReader) -> PayoutAccount:
    account = PayoutAccount(
        account=table.text("account", pattern="[A-Za-z0-9]{4,34}"),
        bic=table.text("bic", pattern="[A-Z0-9]{8}([A-Z0-9]{3})?"),
    )
    table.finish()
    return account


def _read_mandate(table: TomlReader) -> Mandate:
    mandate = Mandate(
        scheme=table.text("scheme", pattern=_NAME),
        notice_hours=table.integer("notice_hours", minimum=0),
        ceiling_minor=table.integer("ceiling_minor", minimum=0),
        legal_basis=table.text("legal_basis"),
        source=table.text("source", pattern=r"https://\S+"),
    )
    table.finish()
    return mandate


def _read_residency(table: TomlReader) -> Residency:
    residency = Residency(
        export=Export(table.text("export", choices=list(Export))),
        minimum_group_size=table.integer("minimum_group_size", minimum=2),
        legal_basis=table.text("legal_basis"),
        source=table.text("source", pattern=r"https://\S+"),
    )
    table.finish()
    return residency


def _refuse_repeats(top: TomlReader, name: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            top.refuse(name, f"has {value} twice")
