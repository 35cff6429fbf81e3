"""What a region consists of, each part with the reader of its table in `catalog/<code>.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from regions.creditor_id import is_creditor_id
from regions.money import EXPONENTS, Money
from regions.toml_reader import TomlReader

_NAME = r"[a-z][a-z0-9_]*"
_CREDITOR_ID = "DE98ZZZ09999999999"


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
    """Under which rules a saved method of one kind is charged without its payer.

    The payer is told so many hours before; an amount above `ceiling_minor` (0: none) takes the payer's second factor.
    Where `reference_length_max` is not 0, each mandate has a reference of its own, no longer than that. A SEPA scheme
    names the creditor, the region's company, by its identifier.
    """

    method: str
    scheme: str
    notice_hours: int
    ceiling_minor: int
    reference_length_max: int
    legal_basis: str
    source: str
    creditor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Residency:
    """What may leave the region, and the smallest group an aggregate that leaves may be made of."""

    export: Export
    minimum_group_size: int
    legal_basis: str
    source: str


def read_method(table: TomlReader, currencies: tuple[str, ...]) -> PaymentMethod:
    """Method, read from its table."""
    method = PaymentMethod(
        name=table.text("name", pattern=_NAME),
        currencies=table.texts("currencies", choices=currencies) if table.has("currencies") else currencies,
        is_pushed=table.boolean("is_pushed"),
    )
    table.finish()
    return method


def read_gateway(table: TomlReader, methods: tuple[PaymentMethod, ...]) -> GatewayAccount:
    """Gateway, read from its table."""
    account = GatewayAccount(
        name=table.text("name", pattern=_NAME),
        account=table.text("account", pattern=r"[A-Za-z0-9_-]+"),
        order=table.integer("order", minimum=1),
        methods=table.texts("methods", choices=[method.name for method in methods]),
        adapter=table.text("adapter", pattern=_NAME),
    )
    table.finish()
    return account


def read_bank_account(table: TomlReader) -> BankAccount:
    """Bank account, read from its table."""
    bank = BankAccount(
        account=table.text("account", pattern=r"[A-Za-z0-9/-]+"), currency=table.text("currency", choices=EXPONENTS)
    )
    table.finish()
    return bank


def read_sca(table: TomlReader, currencies: tuple[str, ...]) -> Sca:
    """Sca, read from its table."""
    rule = ScaRule(table.text("rule", choices=list(ScaRule)))
    thresholds: dict[str, int] = {}
    if rule is ScaRule.EXEMPT_LOW_VALUE:
        amounts = table.table("exempt_below_minor")
        thresholds = {currency: amounts.integer(currency, minimum=1) for currency in currencies}
        amounts.finish()
    table.finish()
    return Sca(rule, thresholds)


def read_texts(table: TomlReader, locales: tuple[str, ...]) -> dict[str, Texts]:
    """Texts, read from its table."""
    texts = {}
    for locale in locales:
        entry = table.table(locale)
        texts[locale] = Texts(consent=entry.text("consent"), disclosure=entry.text("disclosure"))
        entry.finish()
    table.finish()
    return texts


def read_payouts(table: TomlReader) -> PayoutAccount:
    """Payouts, read from its table."""
    account = PayoutAccount(
        account=table.text("account", pattern="[A-Za-z0-9]{4,34}"),
        bic=table.text("bic", pattern="[A-Z0-9]{8}([A-Z0-9]{3})?"),
    )
    table.finish()
    return account


def read_mandate(table: TomlReader) -> Mandate:
    """Mandate, read from its table."""
    scheme = table.text("scheme", pattern=_NAME)
    mandate = Mandate(
        method=table.text("method", pattern=_NAME),
        scheme=scheme,
        notice_hours=table.integer("notice_hours", minimum=0),
        ceiling_minor=table.integer("ceiling_minor", minimum=0),
        reference_length_max=table.integer("reference_length_max", minimum=0),
        legal_basis=table.text("legal_basis"),
        source=table.text("source", pattern=r"https://\S+"),
        creditor_id=_read_creditor_id(table) if scheme.startswith("sepa_") else None,
    )
    table.finish()
    return mandate


def _read_creditor_id(table: TomlReader) -> str:
    creditor_id = table.text("creditor_id")
    if not is_creditor_id(creditor_id):
        table.refuse("creditor_id", f"is {creditor_id!r}, no SEPA creditor identifier (one is {_CREDITOR_ID})")
    return creditor_id


def read_residency(table: TomlReader) -> Residency:
    """Residency, read from its table."""
    residency = Residency(
        export=Export(table.text("export", choices=list(Export))),
        minimum_group_size=table.integer("minimum_group_size", minimum=2),
        legal_basis=table.text("legal_basis"),
        source=table.text("source", pattern=r"https://\S+"),
    )
    table.finish()
    return residency
