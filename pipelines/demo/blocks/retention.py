"""One payer is erased: asked for, planned, approved, run, searched for, certified."""

import base64
import copy
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check
from pipelines.retention.certificate import CertificateRefusedError, check

TITLE = "Erasure: one payer, gone from every store"
OPERATOR = "Demo Operator"
# The newest payer whose money never moved (most regions let those go at once); else the newest of all.
_CANDIDATE = """
SELECT d.id FROM data_subjects d JOIN checkout_sessions s ON s.subject_id = d.id JOIN payments p ON p.session_id = s.id
 WHERE d.erased_at IS NULL AND d.email_token IS NOT NULL
   AND NOT EXISTS (SELECT FROM erasure_requests r WHERE r.subject_id = d.id)
 GROUP BY d.id HAVING bool_and(p.status IN ('failed', 'succeeded'))
 ORDER BY bool_or(p.captured_minor > 0), d.id DESC LIMIT 1
"""


def retention(place: Place, day: date, job: Job) -> Block:
    """Erase one payer of the simulator, and show how each store was searched afterwards."""
    on_day = ("--region", place.code, "--date", day.isoformat())
    with psycopg.connect(place.reader_url, autocommit=True) as connection:
        row = connection.execute(_CANDIDATE).fetchone()
    if row is None:
        return Block(TITLE, ["nobody has paid yet"], _checks(place.code, "there was nobody to erase", "", ""))
    job("retention", "request", "--region", place.code, "--subject", row[0], "--by", "the payer")
    plan = json.loads(job("retention", "plan", *on_day, "--json"))
    approved = job("retention", "approve", *on_day, "--by", OPERATOR)
    job("retention", "run", *on_day)
    proof = job("retention", "verify", *on_day).splitlines()
    with tempfile.TemporaryDirectory(prefix="meridian-demo-") as folder:
        path = Path(folder) / "certificate.json"
        job("retention", "certificate", *on_day, "--out", str(path))
        accepted = job("certificate", "verify", str(path))
        signed = json.loads(path.read_text(encoding="utf-8"))
    key = base64.b64decode(job("certificate", "key", "--region", place.code).strip())
    lines = [
        f"{row[0]} asked to be erased",
        *(_told(entry) for entry in plan["items"]),
        *(f"stays until {entry['until']}: {entry['data_class']}" for entry in plan["staying"] if entry["until"]),
        approved.strip(),
        *proof[:2],
        f"certificate: {accepted.split(' is what ')[-1].strip()}",
    ]
    missing = "" if plan["items"] else "the plan erases nothing"
    return Block(TITLE, lines, _checks(place.code, missing, _is_signed(signed, key), _is_refused_altered(signed, key)))


def _told(entry: dict[str, Any]) -> str:
    stores: dict[str, list[str]] = {}
    for effect in entry["effects"]:
        name = f"{effect['table']}.{effect['column']}" if effect["column"] else effect["table"]
        stores.setdefault(effect["store"], []).append(name)
    places = "; ".join(f"{store}: {', '.join(names)}" for store, names in stores.items())
    return f"{entry['action'].replace('_', ' ')} of {entry['data_class']} ({places})"


def _checks(code: str, erased: str, signed: str, altered: str) -> list[Check]:
    return [
        Check(code, "one payer erased, and found nowhere", erased),
        Check(code, "the erasure's certificate is signed", signed),
        Check(code, "an altered certificate is refused", altered),
    ]


def _is_signed(signed: dict[str, Any], key: bytes) -> str:
    try:
        check(signed, key)
    except CertificateRefusedError as error:
        return str(error)
    return ""


def _is_refused_altered(signed: dict[str, Any], key: bytes) -> str:
    altered = copy.deepcopy(signed)
    altered["certificate"]["approved_by"] = "Somebody Else"
    return "" if _is_signed(altered, key) else "an altered copy was accepted"
