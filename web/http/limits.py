"""How often somebody may ask: per API key and per network address, before anything else is done."""

import hashlib
import hmac
from functools import lru_cache

from flask import Flask, Response, g, request

from web.http.auth import address_of, presented_key_hash
from web.http.problems import Problem, RateLimitedError
from web.rates.domain import Bucket, Rate, headers
from web.rates.limiter import ExhaustedError
from web.wiring import wired

# Payers' pages and the API. Gateways' webhooks and our own commands are signed, and must not be turned away.
LIMITED = ("/v1/", "/l/", "/c/")
_NAME_BYTES = 16


def register(app: Flask) -> None:
    """Count every request that is limited, and say in its answer what is left."""
    app.before_request(_spend)
    app.after_request(_tell)


def _spend() -> None:
    if not request.path.startswith(LIMITED):
        return
    try:
        g.standings = wired().limiter.spend(_buckets())
    except ExhaustedError as error:
        g.standings = error.standings
        raise RateLimitedError(error.seconds) from None


def _buckets() -> list[Bucket]:
    """The address's allowance, and the key's if there is one that can be: one that opens nothing costs the address."""
    wiring = wired()
    settings = wiring.settings
    found = [_address_bucket(settings.key_pepper, address_of(request, settings) or "", settings.rate_per_address)]
    if request.path.startswith("/v1/"):
        try:
            g.key_hash = presented_key_hash(request, wiring.region, settings)
        except Problem:
            return found  # the edge says what is wrong with it
        name = hashlib.sha256(b"key " + g.key_hash).digest()[:_NAME_BYTES]
        found.append(Bucket("key", name, settings.rate_per_key))
    return found


@lru_cache(maxsize=4096)
def _address_bucket(pepper: bytes, address: str, rate: Rate) -> Bucket:
    return Bucket("address", hmac.digest(pepper, b"address " + address.encode(), "sha256")[:_NAME_BYTES], rate)


def _tell(response: Response) -> Response:
    standings = g.get("standings")
    if standings:
        for name, value in headers(standings).items():
            response.headers.add(name, value)
    return response
