"""What the risk package reads and decides. Tokens are personal data: they never show in a repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from regions.money import Money
from web.risk.domain import Verdict


@dataclass(frozen=True, slots=True)
class Signals:
    """Whom a payment comes from, as far as it is known, in tokens of this region."""

    email_token: str = field(repr=False)
    device_token: str = field(repr=False)
    ip_token: str | None = field(repr=False)
    card_token: str | None = field(repr=False)  # the gateway's fingerprint

    def known(self) -> dict[str, str]:
        """The tokens that there are, by name."""
        names = ("email_token", "card_token", "device_token", "ip_token")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Reading:
    """Features as one statement read them: `snapshot` says which transactions it saw."""

    as_of: datetime
    snapshot: str
    features: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision with all it stands on."""

    link_id: str
    amount: Money
    signals: Signals
    reading: Reading
    verdict: Verdict
