"""Who may open what. Every endpoint is open to everybody or belongs to one audience; there is no third kind."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from web.console.accounts.models import Account, Role


class Audience(StrEnum):
    """For whom a page is; also the name of its blueprint."""

    MERCHANT = "merchant"
    WEBHOOKS = "webhooks"
    KEYS = "keys"
    FINANCE = "finance"
    COMPLIANCE = "compliance"
    EVERYBODY = "accounts"  # whoever is signed in


OPEN_ENDPOINTS: Final = frozenset({"static", "healthz", "accounts.sign_in"})

_ROLES: Final[Mapping[Audience, frozenset[Role]]] = MappingProxyType(
    {
        Audience.MERCHANT: frozenset({Role.OWNER, Role.DEVELOPER, Role.FINANCE, Role.SUPPORT}),
        Audience.WEBHOOKS: frozenset({Role.OWNER, Role.DEVELOPER}),
        Audience.KEYS: frozenset({Role.OWNER, Role.DEVELOPER}),
        Audience.FINANCE: frozenset({Role.OWNER, Role.FINANCE}),
        Audience.COMPLIANCE: frozenset({Role.OWNER, Role.COMPLIANCE}),
        Audience.EVERYBODY: frozenset(Role),
    }
)
# Settlement and erasure are the region's: their reports do not divide by merchant.
_PLATFORM_ONLY: Final = frozenset({Audience.FINANCE, Audience.COMPLIANCE})


def audience_of(endpoint: str) -> Audience | None:
    """Whose page an endpoint is; None for one that is open. Raises ValueError for an endpoint that is neither."""
    if endpoint in OPEN_ENDPOINTS:
        return None
    return Audience(endpoint.partition(".")[0])


def may_open(account: Account, audience: Audience) -> bool:
    """Whether an account may see an audience's pages."""
    return account.role in _ROLES[audience] and not (audience in _PLATFORM_ONLY and account.merchant_id is not None)
