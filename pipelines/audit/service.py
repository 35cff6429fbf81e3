from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.audit import repository
from regions.audit import Checkpoint, Finding, Seal, judge


@dataclass(slots=True)
class Verdict:
    """What was read, and what is wrong with it."""

    seals: int = 0
    sealed: int = 0
    entries: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(connection: psycopg.Connection, region: str, public_key: bytes, checkpoint: Checkpoint | None) -> Verdict:
    """Read the whole log of a region, in one snapshot, and hold it against its seals and the checkpoint."""
    key, verdict = Ed25519PublicKey.from_public_bytes(public_key), Verdict()

    def is_signed(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def counted() -> Iterator[Seal]:
        for seal in repository.seals(connection):
            verdict.seals += 1
            verdict.sealed += len(seal.entry_ids)
            yield seal

    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    verdict.entries = repository.count(connection)
    found = judge(region, counted(), lambda ids: repository.hashes_of(connection, ids), checkpoint, is_signed)
    verdict.findings += found
    for id_ in repository.unsealed(connection):
        verdict.findings.append(Finding("inserted", f"entry {id_} is older than the newest seal, and no seal names it"))
    return verdict
