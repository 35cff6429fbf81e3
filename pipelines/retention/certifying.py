"""From a plan that is done to its certificate: verified once more, signed, kept in Meridian and written to a file."""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.retention import certificate, store
from pipelines.retention.verifying import verify
from regions.errors import UsageError

if TYPE_CHECKING:
    from pipelines.retention.opening import Office

STATE_DEFAULT = ".meridian"


def certify(
    office: Office, day: date, prefix: str | None, out: Path | None, now: datetime
) -> tuple[Path, dict[str, Any]]:
    """Write the certificate; one that was issued before is written again as it was.

    Raises UsageError for a plan that is not done, NotErasedError if anything is still there.
    """
    connection = office.at.connection
    stored = store.latest(connection, office.at.region.code, day, prefix)
    signed = stored.certificate
    if signed is None:
        evidence = verify(office.at, office.vault, office.env, stored)
        if stored.approved_by is None or stored.approved_at is None or stored.done_at is None:
            raise UsageError("A plan that nobody approved has no certificate")
        steps = {
            step: found
            for step, found in store.evidence(connection, stored.hash).items()
            if not step.startswith("doomed ")
        }
        signed = certificate.issue(
            stored.plan,
            approved_by=stored.approved_by,
            approved_at=stored.approved_at,
            done_at=stored.done_at,
            steps=steps,
            verification=evidence,
            vault=office.vault,
            now=now,
        )
        store.certify(connection, stored.hash, signed)
    path = out or _default_path(office, stored.hash, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.new")
    staged.write_text(json.dumps(signed, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    staged.replace(path)
    return path, signed


def _default_path(office: Office, name: bytes, day: date) -> Path:
    state = Path(office.env.get("MERIDIAN_STATE") or os.environ.get("MERIDIAN_STATE") or STATE_DEFAULT)
    return state / "certificates" / f"erasure-{office.at.region.code}-{day}-{name.hex()[:8]}.json"
