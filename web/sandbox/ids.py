"""The PSP's own identifiers."""

import secrets

from regions.ids import new_code
from regions.logs import passes_luhn

_LOWEST = 10**15


def psp_reference() -> str:
    """A new 16-digit reference of a payment, capture or refund, as Adyen writes them. Grants no access.

    It never carries a valid check digit, so nothing that hunts for card numbers takes it for one.
    """
    while True:
        reference = str(_LOWEST + secrets.randbelow(9 * _LOWEST))
        if not passes_luhn([int(digit) for digit in reference]):
            return reference


def secret_id(prefix: str = "") -> str:
    """A new unguessable id (at least 128 random bits): a token, or the URL part of a payer's action."""
    return prefix + new_code()
