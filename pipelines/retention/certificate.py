"""The certificate: what was erased, how that was proven, what remains. Signed by the region's vault."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.retention.document import Plan
from regions.errors import MeridianError
from regions.events import timestamp
from regions.vault import Vault

FORMAT = "meridian erasure certificate 1"
ALGORITHM = "Ed25519"
KEY_BACKUP_DAYS_MAX = 30


class CertificateRefusedError(MeridianError):
    """The certificate is not what the region signed."""

    exit_code: ClassVar[int] = 3


def issue(
    plan: Plan, *, approved_by: str, approved_at: datetime, done_at: datetime, steps: dict[str, Any],
    verification: dict[str, Any], vault: Vault, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """A signed certificate of a plan that is done and verified."""
    document = plan.document
    content = {
        "format": FORMAT,
        "region": document["region"],
        "date": document["date"],
        "plan": plan.hash.hex(),
        "approved_by": approved_by,
        "approved_at": timestamp(approved_at),
        "done_at": timestamp(done_at),
        "issued_at": timestamp(now),
        "erased": [
            {
                "subject": entry["subject"],
                "data_class": entry["data_class"],
                "dataset": entry["dataset"],
                "count": len(entry["keys"]),
                "action": entry["action"],
                "why": entry["why"],
                "request": entry["by"],
                "legal_basis": entry["rule"]["legal_basis"],
                "effects": entry["effects"],
            }
            for entry in document["items"]
        ],
        "erased_whole": document["erased_whole"],
        "stays": document["staying"],
        "steps": steps,
        "verification": verification,
        "remains": _remains(document, verification),
        "key": key_id(vault.public_key()),
    }
    signature = vault.sign(canonical(content))
    return {
        "certificate": content,
        "signature": {"algorithm": ALGORITHM, "value": base64.b64encode(signature).decode("ascii")},
    }


def check(signed: Any, public_key: bytes) -> dict[str, Any]:
    """The certificate's content, if the key signed exactly it. Raises CertificateRefusedError."""
    try:
        content, signature = signed["certificate"], signed["signature"]
        is_known = content["format"] == FORMAT and signature["algorithm"] == ALGORITHM
        value = base64.b64decode(signature["value"], validate=True)
        named_key = content["key"]
    except (KeyError, TypeError, ValueError):
        raise CertificateRefusedError("The file is not a certificate of erasure") from None
    if not is_known or set(signed) != {"certificate", "signature"} or set(signature) != {"algorithm", "value"}:
        raise CertificateRefusedError("The file is not a certificate of erasure that this version knows")
    if named_key != key_id(public_key):
        raise CertificateRefusedError(f"The certificate names the key {named_key}, not {key_id(public_key)}")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, canonical(content))
    except (InvalidSignature, ValueError):
        raise CertificateRefusedError("The certificate was altered: its signature does not fit") from None
    checked: dict[str, Any] = content
    return checked


def canonical(content: Any) -> bytes:
    """The bytes that are signed: JSON with sorted keys, no spaces."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def key_id(public_key: bytes) -> str:
    """A short name of a public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def _remains(document: dict[str, Any], verification: dict[str, Any]) -> list[str]:
    """What is not gone, where, and until when."""
    found = [
        "Kafka topics: ciphertext that no key opens, and pseudonymous tokens, until each topic's own retention",
        f"backups of the key vault: destroyed keys, {KEY_BACKUP_DAYS_MAX} days at most",
        "PostgreSQL: gaps of pages and the write-ahead log, until they are used again; backups, until they expire",
    ]
    for searched in verification["searched"]:
        found += [f"{searched['store']}: {place}" for place in searched["remains"]]
    found += [
        f"{entry['data_class']} of {entry['subject'] or '/'.join(entry['key'])}: {entry['why']}"
        + (f" until {entry['until']}" if entry["until"] else "")
        for entry in document["staying"]
    ]
    return found
