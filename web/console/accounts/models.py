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
    """An account, the hash that its password must fit, and what its one-time codes are made of."""

    account: Account
    password_hash: str = field(repr=False)
    sealed_totp: bytes | None = field(repr=False)  # None: this user needs no one-time code
