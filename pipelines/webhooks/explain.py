"""Why a receiver's check of a webhook fails: wrong secret, altered body, clock, encoding, headers. Pure.

A signature alone does not tell a wrong secret from an altered body. We also send the body's digest, and a signature
that anybody can check (`v1a`): with either of them it does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from regions import webhook_signing as signing
from regions.webhook_signing import DIGEST, ID, SIGNATURE, TIMESTAMP, SigningError


class Verdict(StrEnum):
    """What failed first."""

    GENUINE = "genuine"
    HEADERS = "headers"
    ENCODING = "encoding"
    CLOCK = "clock"
    ALTERED_BODY = "altered body"
    WRONG_SECRET = "wrong secret"  # noqa: S105 - a verdict
    UNDECIDED = "wrong secret or altered body"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, and each finding in a sentence, with whether it is good news."""

    verdict: Verdict
    findings: tuple[tuple[bool, str], ...]


def explain(
    secret: str, headers: Mapping[str, str], body: bytes, now: int, public_key: str | None = None
) -> Explanation:
    """Explain a message; header names in any case. Raises SigningError for a public key that cannot be one."""
    given = {name.strip().lower(): value.strip() for name, value in headers.items()}
    public = None if public_key is None else signing.public_key_bytes(public_key)
    missing = _header_faults(given)
    if missing:
        return Explanation(Verdict.HEADERS, tuple((False, fault) for fault in missing))
    findings = [(True, "The three headers are there and well-formed.")]
    verdicts = []
    for verdict, sentence in (_judge_secret(secret, given, body), _judge_clock(given, now)):
        findings.append((verdict is None, sentence))
        verdicts += [verdict] if verdict else []
    if Verdict.ENCODING not in verdicts:
        verdict, sentence = _judge_signature(signing.secret_bytes(secret), public, given, body)
        findings.append((verdict is None, sentence))
        verdicts += [verdict] if verdict else []
    return Explanation(verdicts[0] if verdicts else Verdict.GENUINE, tuple(findings))


def _header_faults(given: Mapping[str, str]) -> list[str]:
    faults = [f"The header {name} is missing." for name in (ID, TIMESTAMP, SIGNATURE) if not given.get(name)]
    if faults:
        return [*faults, "A proxy may have dropped it, or the framework may have renamed it."]
    if not (given[TIMESTAMP].isascii() and given[TIMESTAMP].isdigit()):
        faults.append(f"The header {TIMESTAMP} is not a number of seconds since 1970.")
    if not signing.signatures_of(given, "v1"):
        faults.append(f"The header {SIGNATURE} holds no signature that begins with v1, and a comma.")
    return faults


def _judge_secret(secret: str, given: Mapping[str, str], body: bytes) -> tuple[Verdict | None, str]:
    try:
        signing.secret_bytes(secret)
    except SigningError as error:
        for how, raw in _readings(secret):
            if signing.is_v1(raw, given, body):
                return Verdict.ENCODING, f"The secret is right and written wrongly: {how}."
        return Verdict.ENCODING, f"The secret cannot be one: {error}."
    return None, "The secret is well-formed: whsec_ and base64 of 24 to 64 bytes."


def _readings(secret: str) -> Iterator[tuple[str, bytes]]:
    """What a badly written secret may have meant."""
    bare = secret.strip().strip("'\"").removeprefix(signing.SECRET_PREFIX)
    for how, text in (
        ("it lacks whsec_, or has quotes or spaces around it", bare),
        ("it is in the URL-safe alphabet, and - and _ stand for + and /", bare.replace("-", "+").replace("_", "/")),
        ("its = at the end are missing", bare + "=" * (-len(bare) % 4)),
    ):
        try:
            yield how, base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue


def _judge_clock(given: Mapping[str, str], now: int) -> tuple[Verdict | None, str]:
    age = now - int(given[TIMESTAMP])
    if abs(age) <= signing.TOLERANCE_SECONDS:
        return None, f"The time is right: {age} s ago by this clock."
    if abs(now - int(given[TIMESTAMP]) // 1000) <= signing.TOLERANCE_SECONDS:
        return Verdict.CLOCK, "The time is in milliseconds: something on the way has changed it."
    direction = "ago" if age > 0 else "ahead"
    return Verdict.CLOCK, (
        f"The message is of {abs(age)} s {direction} by this clock, and {signing.TOLERANCE_SECONDS} s are allowed: "
        "the clock is wrong, or the message is an old one, sent again by somebody."
    )


def _judge_signature(
    secret: bytes, public: bytes | None, given: Mapping[str, str], body: bytes
) -> tuple[Verdict | None, str]:
    if signing.is_v1(secret, given, body):
        return None, "A signature is that of this secret over this body."
    for how, variant in _variants(body):
        if signing.is_v1(secret, given, variant):
            return (
                Verdict.ALTERED_BODY,
                f"The body is not the one that was signed: {how}. Verify the bytes as they came.",
            )
    digest = given.get(DIGEST)
    if public is not None and signing.is_v1a(public, given, body):
        return Verdict.WRONG_SECRET, "The body is the one that was signed (v1a says so): the secret is another one's."
    if digest is not None and digest == signing.content_digest(body):
        return Verdict.WRONG_SECRET, (
            "The body is the one that was sent (content-digest says so): the secret is another endpoint's, an expired "
            "one, or that of the other mode."
        )
    if digest is not None:
        return Verdict.ALTERED_BODY, "The body is not the one that was sent: content-digest says another."
    return Verdict.UNDECIDED, (
        "No signature is that of this secret over this body. Give the header content-digest or the endpoint's public "
        "key to learn which of the two is wrong."
    )


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What frameworks make of a body, undone."""
    yield "a line break was added at its end", body.rstrip(b"\r\n")
    yield "line breaks were changed", body.replace(b"\r\n", b"\n")
    yield "a byte order mark was added", body.removeprefix(b"\xef\xbb\xbf")
    try:
        text = body.decode("latin-1")
        yield "it was decoded in a wrong encoding and encoded again", text.encode("utf-8")
        yield "it was decoded in a wrong encoding and encoded again", body.decode("utf-8").encode("latin-1")
    except UnicodeError:
        pass
    try:
        parsed = json.loads(body)
    except ValueError:
        return
    for is_ascii in (False, True):
        for separators in ((",", ":"), (", ", ": ")):
            dumped = json.dumps(parsed, ensure_ascii=is_ascii, separators=separators)
            yield "it was parsed and written again as JSON", dumped.encode()
