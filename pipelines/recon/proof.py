"""Proving a run again: its outputs against a second implementation, its manifest against key and build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.recon import manifest
from pipelines.recon.second.build import check_build
from regions.errors import UsageError
from regions.vault import open_vault

if TYPE_CHECKING:
    from warehouse.build_record import BuildRecord
    from warehouse.builds import Warehouse


@dataclass(slots=True)
class Proof:
    """What holds, and what does not, in sentences."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def check_run(warehouse: Warehouse, number: int | None, env: Mapping[str, str]) -> Proof:
    """Check a build, or the published one. Raises UsageError, and ManifestRefusedError for an altered manifest."""
    number = number if number is not None else warehouse.published()
    record = next((one for one in warehouse.records() if one.number == number), None)
    if record is None:
        raise UsageError(f"There is no build {number} of {warehouse.region.code}" if number else warehouse.unpublished)
    build = warehouse.path(record.number)
    if not build.is_file():
        raise UsageError(f"build-{record.number} was removed: only its record is kept")
    proof = Proof()
    found = check_build(build, warehouse.region, record.business_date)
    if found:
        proof.failed += found
    else:
        proof.passed.append(f"build-{record.number}: the second implementation finds the very same")
    _check_manifest(warehouse, record, env, proof)
    return proof


def _check_manifest(warehouse: Warehouse, record: BuildRecord, env: Mapping[str, str], proof: Proof) -> None:
    path = manifest.manifest_path(warehouse.folder, record.number)
    if not path.is_file():
        proof.failed.append(f"build-{record.number} has no manifest: it was not reconciled by `meridian recon run`")
        return
    signed = json.loads(path.read_text(encoding="utf-8"))
    if "signature" in signed:
        content = manifest.check(signed, open_vault(warehouse.region.vault_uri(env)).public_key())
        proof.passed.append(f"{path.name}: the region's key {content['key']} signed it")
    else:
        content = signed["manifest"]
        proof.failed.append(f"{path.name} is not signed")
    changed = manifest.differences(content, warehouse.path(record.number), record)
    proof.failed += [f"{name} is not what the manifest names" for name in changed]
    if not changed:
        proof.passed.append(
            f"{len(content['outputs'])} tables are what the manifest names, verdict {content['verdict']['name']}"
        )
