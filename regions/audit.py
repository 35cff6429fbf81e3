"""The audit log's chain: what a seal says, and what is wrong with a log that does not agree with its seals.

A seal names entries in order with the SHA-256 of each, and the seal before it; its own hash is signed under the
region's key. A checkpoint is the newest seal's number and hash, signed, and kept apart from the database: with it,
seals that were cut off at the end are missed. The sealer (web/audit) writes, `meridian audit verify` judges.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypedDict
from urllib.parse import unquote, urlsplit

import orjson

from regions.errors import ConfigurationError
from regions.files import make_folder, sync_folder

GENESIS: Final = bytes(32)
# An entry as it is hashed: texts as PostgreSQL writes them, in this order.
FIELDS_SQL: Final = """ARRAY[to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, request_id,
  merchant_id, table_name, operation, object_ids::text, before::text, after::text]"""

Verify = Callable[[bytes, bytes], bool]  # signature, message


class Seal(NamedTuple):
    """A row of audit_seals. `sealed_at` is RFC 3339 in UTC with microseconds."""

    number: int
    sealed_at: str
    entry_ids: Sequence[int]
    entry_hashes: Sequence[bytes]
    previous: bytes
    hash: bytes
    signature: bytes


class Checkpoint(TypedDict):
    """The newest seal, as it is kept apart. `hash` and `signature` are hex."""

    region: str
    number: int
    hash: str
    signature: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: its kind (edited, deleted, reordered, inserted, truncated, forged, unsealed) and where."""

    kind: str
    sentence: str


def entry_hash(fields: Sequence[str | None]) -> bytes:
    """SHA-256 of an entry's fields, unambiguously joined."""
    return hashlib.sha256(orjson.dumps(list(fields))).digest()


def seal_hash(
    region: str, number: int, sealed_at: str, ids: Sequence[int], hashes: Sequence[bytes], previous: bytes
) -> bytes:
    """SHA-256 of everything that a seal says."""
    said = [region, number, sealed_at, list(ids), [each.hex() for each in hashes], previous.hex()]
    return hashlib.sha256(b"meridian audit seal\n" + orjson.dumps(said)).digest()


def judge(
    region: str,
    seals: Iterable[Seal],
    hashes_of: Callable[[Sequence[int]], Mapping[int, bytes]],
    checkpoint: Checkpoint | None,
    verify: Verify,
) -> Iterator[Finding]:
    """Everything that is wrong with a log. `hashes_of` gives the hashes of those entries that are there, by id."""
    last, number = GENESIS, 0
    for seal in seals:
        if seal.number != number + 1:
            yield Finding("deleted", f"seals {number + 1} to {seal.number - 1} are missing")
        elif seal.previous != last:
            yield Finding("reordered", f"seal {seal.number} does not follow seal {number}")
        yield from _seal_findings(region, seal, verify)
        yield from _entry_findings(seal, hashes_of(seal.entry_ids))
        last, number = seal.hash, seal.number
        if checkpoint is not None and seal.number == checkpoint["number"] and seal.hash.hex() != checkpoint["hash"]:
            yield Finding("forged", f"seal {seal.number} is not the one that the checkpoint knows")
    yield from _end_findings(region, number, checkpoint, verify)


def _seal_findings(region: str, seal: Seal, verify: Verify) -> Iterator[Finding]:
    said = seal_hash(region, seal.number, seal.sealed_at, seal.entry_ids, seal.entry_hashes, seal.previous)
    if said != seal.hash:
        yield Finding("edited", f"seal {seal.number} does not say what was sealed")
    elif not verify(seal.signature, seal.hash):
        yield Finding("forged", f"seal {seal.number} is not signed by this region")


def _entry_findings(seal: Seal, found: Mapping[int, bytes]) -> Iterator[Finding]:
    expected = dict(zip(seal.entry_ids, seal.entry_hashes, strict=True))
    wrong = {id_: found[id_] for id_ in expected if id_ in found and found[id_] != expected[id_]}
    for id_ in expected:
        if id_ not in found:
            yield Finding("deleted", f"entry {id_} of seal {seal.number} is missing")
        elif id_ in wrong:
            moved = next((other for other in wrong if other != id_ and expected[other] == wrong[id_]), None)
            if moved is None:
                yield Finding("edited", f"entry {id_} of seal {seal.number} was changed")
            else:
                yield Finding("reordered", f"entry {id_} of seal {seal.number} stands in the place of entry {moved}")


def _end_findings(region: str, number: int, checkpoint: Checkpoint | None, verify: Verify) -> Iterator[Finding]:
    if checkpoint is None:
        if number:
            yield Finding("truncated", "there is no checkpoint, so nothing says where the log ended")
        return
    if checkpoint["region"] != region or not verify(
        bytes.fromhex(checkpoint["signature"]), _checkpoint_bytes(checkpoint)
    ):
        yield Finding("forged", "the checkpoint is not signed by this region")
    elif checkpoint["number"] > number:
        yield Finding("truncated", f"seals {number + 1} to {checkpoint['number']} were cut off the end")


def make_checkpoint(region: str, number: int, hash_: bytes, sign: Callable[[bytes], bytes]) -> Checkpoint:
    """A checkpoint of the newest seal."""
    made: Checkpoint = {"region": region, "number": number, "hash": hash_.hex(), "signature": ""}
    made["signature"] = sign(_checkpoint_bytes(made)).hex()
    return made


def save_checkpoint(vault_uri: str, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint beside the region's keys, durably; an older one never takes the place of a newer one."""
    path = _place(vault_uri)
    make_folder(path.parent, within=path.parent.parent)
    held = load_checkpoint(path)
    if held is not None and held["number"] >= checkpoint["number"]:
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    with staged.open("w", encoding="ascii") as file:
        json.dump(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(path)
    sync_folder(path.parent)


def load_checkpoint(place: str | Path) -> Checkpoint | None:
    """The checkpoint in a file, or beside the region's keys (a vault's URI); None if there is none."""
    path = place if isinstance(place, Path) else _place(place)
    try:
        found = json.loads(path.read_text(encoding="ascii"))
        bytes.fromhex(found["hash"] + found["signature"])
        return {"region": str(found["region"]), "number": int(found["number"]), "hash": str(found["hash"]),
                "signature": str(found["signature"])}  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is no checkpoint of an audit log") from error


def _place(vault_uri: str) -> Path:
    return Path(unquote(urlsplit(vault_uri).path)) / "audit" / "checkpoint.json"


def _checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    said = [checkpoint["region"], checkpoint["number"], checkpoint["hash"]]
    return b"meridian audit checkpoint\n" + orjson.dumps(said)
