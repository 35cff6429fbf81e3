import hmac

SHOWN_CHARACTERS = 4  # mk_test_eu_AbCd: enough to recognise a key, nothing to guess it from


def hash_key(pepper: bytes, secret_key: str) -> bytes:
    """What the database keeps of an API key: HMAC-SHA256 under the region's pepper, 32 bytes."""
    return hmac.digest(pepper, secret_key.encode(), "sha256")


def shown_prefix(secret_key: str) -> str:
    """The part of an API key that people may see."""
    return secret_key[: secret_key.rindex("_") + 1 + SHOWN_CHARACTERS]
