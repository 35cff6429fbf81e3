"""What verification will look for: the values themselves, taken before they are erased.

They are kept only as long as it takes to prove that they are gone: encrypted under a key of the region, in the plan's
row, until the certificate is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.retention import tables
from pipelines.retention.document import Plan, is_of_subject
from pipelines.retention.planning import Desk, object_ids
from regions.errors import KeyDestroyedError, MeridianError
from regions.event_erasure import personal_fields, personal_values
from regions.retention import Action
from warehouse.lake import LakeTableMissingError

if TYPE_CHECKING:
    from regions.vault import SealedJson, Vault

PURPOSE = "erasure_search"
LENGTH_MIN = 6  # shorter texts are found everywhere, and prove nothing


@dataclass
class Values:
    """`plain`: what the payer told us. `tokens`: pseudonyms and traces. `sealed`: ciphertexts, in base64.

    `shared` counts pseudonyms that another person's live data holds too (one card, one household): they cannot be
    searched for; that this subject's rows hold them no longer is checked row by row.
    """

    plain: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    shared: int = 0
    short: int = 0

    def dump(self) -> bytes:
        """As bytes."""
        return json.dumps(asdict(self)).encode()

    def needles(self) -> list[bytes]:
        """Everything to search for, in every form in which text is stored here."""
        found = []
        for value in (*self.plain, *self.tokens, *self.sealed):
            forms = {value, value.casefold(), json.dumps(value)[1:-1], json.dumps(value.casefold())[1:-1]}
            found += [form.encode() for form in sorted(forms)]
        return list(dict.fromkeys(found))


class ValuesGoneError(MeridianError):
    """What verification would look for is no longer there."""


def load(at: Desk, vault: Vault, name: bytes) -> Values:
    """What `collect` found for this plan. Raises ValuesGoneError once the certificate is written."""
    row = at.connection.execute("SELECT search FROM retention_plans WHERE hash = %s", (name,)).fetchone()
    if row is None or row[0] is None:
        raise ValuesGoneError("What was searched for is forgotten: the certificate of this plan is written already")
    return Values(**json.loads(vault.decrypt_region(row[0], PURPOSE)))


def collect(at: Desk, vault: Vault, plan: Plan) -> Values:
    """Read every value that the plan erases; call it before anything is erased."""
    values = Values()
    for entry in plan.items:
        if not is_of_subject(entry):
            continue
        ids = object_ids(at, entry["subject"])
        if entry["action"] == Action.DESTROY_KEY:
            found = [*_sealed_in_tables(at, entry), *_sealed_in_lake(at, entry, ids)]
            for sealed in found:
                values.sealed.append(sealed["ciphertext"])
                values.plain += _opened(vault, sealed)
        else:
            _sort_tokens(at, entry["subject"], ids, _tokens(at, entry, ids), values)
    for name in ("plain", "tokens", "sealed"):
        texts = list(dict.fromkeys(getattr(values, name)))
        values.short += sum(len(text) < LENGTH_MIN for text in texts)
        setattr(values, name, [text for text in texts if len(text) >= LENGTH_MIN])
    return values


def _sealed_in_tables(at: Desk, entry: dict[str, Any]) -> Iterator[SealedJson]:
    parameters = {"subject": entry["subject"], "data_class": entry["data_class"]}
    for query in tables.select_sealed(at.found):
        for (document,) in at.connection.execute(query, parameters):
            yield {
                "subject": entry["subject"],
                "retention_class": entry["data_class"],
                "ciphertext": document["ciphertext"],
            }


def _sealed_in_lake(at: Desk, entry: dict[str, Any], ids: set[str]) -> Iterator[SealedJson]:
    for text in _lake_rows(at, ids)["pii"].to_pylist():
        if text is not None:
            document: SealedJson = json.loads(text)
            if (document["subject"], document["retention_class"]) == (entry["subject"], entry["data_class"]):
                yield document


def _opened(vault: Vault, sealed: SealedJson) -> list[str]:
    try:
        return list(_texts(vault.open_json(sealed)))
    except KeyDestroyedError:  # sealed under a key before this one, gone already
        return []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _tokens(at: Desk, entry: dict[str, Any], ids: set[str]) -> Iterator[str]:
    for query in tables.select_tokens(at.found, entry["data_class"]):
        for (value,) in at.connection.execute(query, {"subject": entry["subject"]}):
            yield value
    rows = _lake_rows(at, ids)
    for kind, data in zip(rows["type"].to_pylist(), rows["data"].to_pylist(), strict=True):
        yield from personal_values(kind, json.loads(data)).values()
    for query in tables.select_events(at.found):
        for kind, data in at.connection.execute(query, {"subject": entry["subject"]}):
            yield from personal_values(kind, data).values()


def _sort_tokens(at: Desk, subject: str, ids: set[str], found: Iterator[str], values: Values) -> None:
    """Those of this subject alone are searched for; those that others have too are counted."""
    others = _tokens_of_others_in_lake(at, ids)
    for value in dict.fromkeys(found):
        parameters = {"subject": subject, "value": value}
        is_shared = value in others or any(
            at.connection.execute(query, parameters).fetchone() is not None for query in tables.find_others(at.found)
        )
        if is_shared:
            values.shared += 1
        else:
            values.tokens.append(value)


def _tokens_of_others_in_lake(at: Desk, ids: set[str]) -> set[str]:
    kinds = sorted(personal_fields())
    if not kinds:
        return set()
    try:
        rows = at.lake.events().scan(selected_fields=("subject", "type", "data")).to_arrow()
    except LakeTableMissingError:
        return set()
    rows = rows.filter(pc.is_in(rows["type"], pa.array(kinds, rows.schema.field("type").type)))
    texts = zip(rows["subject"].to_pylist(), rows["type"].to_pylist(), rows["data"].to_pylist(), strict=True)
    return {
        value
        for owner, kind, data in texts
        if owner not in ids
        for value in personal_values(kind, json.loads(data)).values()
    }


def _lake_rows(at: Desk, ids: set[str]) -> pa.Table:
    names = ("subject", "type", "data", "pii")
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    try:
        rows = at.lake.events().scan(selected_fields=names).to_arrow() if ids else empty
    except LakeTableMissingError:
        return empty
    return rows.filter(pc.is_in(rows["subject"], pa.array(sorted(ids), rows.schema.field("subject").type)))
