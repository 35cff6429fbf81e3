"""The manifest of a run: what went in, which versions, what came out, signed with the region's key."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.recon.verdict import Verdict
from pipelines.retention.certificate import ALGORITHM, canonical, key_id
from regions.errors import MeridianError
from regions.files import sync_folder

if TYPE_CHECKING:
    from regions.vault import Vault
    from warehouse.build_record import BuildRecord

FORMAT = "meridian reconciliation manifest 1"
RULE_VERSION = 1  # of the passes; the macro `rule_version` says the same
# What came out, in rows that are put in order: of facts the day's own, so that the cost does not follow history.
_OUTPUTS = {
    "fct_recon_matches": "WHERE settled_on = $day",
    "fct_recon_match_items": "",
    "fct_recon_breaks": "",
    "fct_bank_breaks": "",
    "fct_payout_legs": "WHERE paid_out_on = $day",
    "rpt_recon_bridge": "",
    "rpt_recon_breaks": "",
    "rpt_recon_summary": "WHERE business_date = $day",
}
_STATEMENTS = "SELECT DISTINCT file_hash FROM staging.stg_bank_statements WHERE statement_date = $day ORDER BY ALL"


class ManifestRefusedError(MeridianError):
    """The manifest is not what the region signed, or not of this build."""

    exit_code: ClassVar[int] = 3


def manifest_path(folder: Path, number: int) -> Path:
    """Where a run's manifest is kept."""
    return folder / "recon" / f"manifest-{number}.json"


def contents(build: Path, record: BuildRecord, verdict: Verdict) -> dict[str, Any]:
    """What a manifest says of a reconciled build."""
    inputs = record.inputs.to_json()
    tables = {
        name: {key: table[key] for key in ("snapshot_id", "lake_seq", "row_count")}
        | {"file_count": len(table["files"]), "files_sha256": _digest("\n".join(sorted(map(str, table["files"]))))}
        for name, table in inputs.items()
        if isinstance(table, dict) and "files" in table
    }
    with duckdb.connect(str(build), read_only=True) as connection:
        statements = [row[0] for row in connection.execute(_STATEMENTS, {"day": record.business_date}).fetchall()]
        outputs = {name: _output(connection, name, part, record) for name, part in _OUTPUTS.items()}
    return {
        "format": FORMAT,
        "region": record.region,
        "business_date": record.business_date.isoformat(),
        "build": record.number,
        "rerun_of": record.rerun_of,
        "compared_with": record.previous,
        "inputs": {"tables": tables, "cut": inputs["cut"], "reports": record.reports, "statements": statements},
        "versions": {
            "models": record.increment.settings[0] if record.increment else None,
            "rules": RULE_VERSION,
            "duckdb": duckdb.__version__,
        },
        "outputs": outputs,
        "verdict": {"name": verdict.name, "places": list(verdict.places)},
    }


def sign(content: dict[str, Any], vault: Vault) -> dict[str, Any]:
    """The manifest with its signature."""
    content = content | {"key": key_id(vault.public_key())}
    value = base64.b64encode(vault.sign(canonical(content))).decode("ascii")
    return {"manifest": content, "signature": {"algorithm": ALGORITHM, "value": value}}


def keep(path: Path, signed: dict[str, Any]) -> None:
    """Write a manifest, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".new")
    with staged.open("w", encoding="utf-8") as file:
        json.dump(signed, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    sync_folder(path.parent)


def check(signed: Any, public_key: bytes) -> dict[str, Any]:
    """The manifest's content, if the key signed exactly it. Raises ManifestRefusedError."""
    try:
        content, signature = signed["manifest"], signed["signature"]
        value = base64.b64decode(signature["value"], validate=True)
        is_known = content["format"] == FORMAT and signature["algorithm"] == ALGORITHM
    except (KeyError, TypeError, ValueError):
        raise ManifestRefusedError("The file is not a signed manifest of a reconciliation") from None
    if not is_known:
        raise ManifestRefusedError("The file is not a manifest that this version knows")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, canonical(content))
    except (InvalidSignature, ValueError):
        raise ManifestRefusedError("The manifest was altered, or another key signed it") from None
    checked: dict[str, Any] = content
    return checked


def differences(content: dict[str, Any], build: Path, record: BuildRecord) -> list[str]:
    """Which outputs of a build are not those that the manifest names."""
    with duckdb.connect(str(build), read_only=True) as connection:
        found = {name: _output(connection, name, part, record) for name, part in _OUTPUTS.items()}
    return [name for name, output in found.items() if content["outputs"].get(name) != output]


def _output(connection: duckdb.DuckDBPyConnection, name: str, part: str, record: BuildRecord) -> dict[str, Any]:
    """How many rows, and the hash of all of them in order."""
    values = {"day": record.business_date} if part else None
    rows = f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {name} {part}"  # noqa: S608 - constants
    connection.execute("SET TimeZone = 'UTC'")
    row = connection.execute(
        f"""SELECT count(*), sha256(coalesce(string_agg(sha256(told), '' ORDER BY told), ''))
              FROM (SELECT CAST(one AS VARCHAR) AS told FROM ({rows}) AS one)""",  # noqa: S608 - constants
        values,
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return {"row_count": row[0], "sha256": row[1]}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
