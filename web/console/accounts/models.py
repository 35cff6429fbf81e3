from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody does here."""

    OWNER = "owner"
    DEVELOPER = "developer"
    FINANCE = "finance"
    SUPPORT = "support"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in. Without a merchant: somebody of the platform, who sees the region."""

    id: str
    merchant_id: str | None
    role: Role
    email: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account and the hash that its password must fit."""

    account: Account
    password_hash: str = field(repr=False)
