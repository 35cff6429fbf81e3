"""What API keys may do: a scope is `<noun>:read` or `<noun>:write`, and each operation of /v1 needs one. Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

KeyScope = Literal[
    "config:read",
    "disputes:read",
    "disputes:write",
    "events:read",
    "fees:read",
    "keys:read",
    "keys:write",
    "links:read",
    "links:write",
    "merchants:read",
    "merchants:write",
    "payment_methods:read",
    "payment_methods:write",
    "payments:read",
    "payments:write",
    "payouts:read",
    "payouts:write",
    "refunds:read",
    "refunds:write",
    "renewals:read",
    "renewals:write",
    "webhooks:read",
    "webhooks:write",
]
KeyKind = Literal["secret", "publishable", "restricted"]

SCOPES: Final[frozenset[KeyScope]] = frozenset(get_args(KeyScope))
# A key that makes keys is as good as any key that it makes, so no restricted one may.
GRANTABLE: Final[frozenset[KeyScope]] = SCOPES - {"keys:write"}
# What everybody may know who sees the merchant's page: a publishable key stands in its source.
_OF_KIND: Final[Mapping[str, frozenset[KeyScope]]] = MappingProxyType(
    {"secret": SCOPES, "publishable": frozenset({"config:read"})}
)


def is_allowed(kind: str, granted: Collection[str], needed: KeyScope | None) -> bool:
    """Whether a key opens an operation. What says nothing of itself (`needed` is None) is open to secret keys alone.

    To write something includes to read it.
    """
    if kind == "secret":
        return True
    if needed is None:
        return False
    held = granted if kind == "restricted" else _OF_KIND[kind]
    noun, _, what = needed.partition(":")
    return needed in held or (what == "read" and f"{noun}:write" in held)
