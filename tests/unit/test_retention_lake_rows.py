"""What erasure does to rows of the lake, on Arrow tables of a few rows."""

import json

import pyarrow as pa

from pipelines.retention.lake_rows import Targets, changes
from regions.data_map import data_map

PAYMENT, OTHER, SESSION = "pay_eu_1", "pay_eu_2", "cs_eu_1"


def sealed(subject: str, retention_class: str = "payment_record") -> str:
    return json.dumps({"subject": subject, "retention_class": retention_class, "ciphertext": "c2VhbGVk"})


def events(*rows: tuple[str, str, dict[str, object], str | None]) -> pa.Table:
    columns = {"subject": [], "type": [], "data": [], "pii": []}  # type: ignore[var-annotated]
    for subject, kind, data, pii in rows:
        for name, value in zip(columns, (subject, kind, json.dumps(data), pii), strict=True):
            columns[name].append(value)
    return pa.table(columns, pa.schema([(name, pa.string()) for name in columns]))


def erased(table: pa.Table, targets: Targets) -> list[dict[str, object]]:
    found: list[dict[str, object]] = changes(data_map(), targets)["events"].apply(table).to_pylist()
    return found


def test_ciphertext_of_a_destroyed_key_is_nulled_and_nothing_else() -> None:
    table = events(
        (SESSION, "checkout.submitted", {"a": 1}, sealed("subj_eu_1")),
        (SESSION, "checkout.submitted", {"a": 1}, sealed("subj_eu_1", "payer_marketing")),
        (OTHER, "checkout.submitted", {"a": 1}, sealed("subj_eu_1")),
        (SESSION, "checkout.opened", {"a": 1}, None),
    )
    targets = Targets(sealed=frozenset({("subj_eu_1", "payment_record")}), sealed_objects=frozenset({SESSION}))
    found = erased(table, targets)
    assert [row["pii"] is None for row in found] == [True, False, False, True]
    assert [row["data"] for row in found] == table["data"].to_pylist()


def test_tokens_go_from_the_events_of_the_subjects_objects_only() -> None:
    data: dict[str, object] = {"payment_id": PAYMENT, "email_token": "tok", "card_token": "fp", "decision": "allow"}
    table = events((PAYMENT, "risk.assessed", data, None), (OTHER, "risk.assessed", data, None))
    found = erased(table, Targets(objects={"payer_token": frozenset({PAYMENT})}))
    first, second = (json.loads(str(row["data"])) for row in found)
    assert second == data
    assert first["decision"] == "allow"
    assert "tok" not in first.values()
    assert "fp" not in first.values()


def test_rows_of_dropped_objects_go_and_quarantined_records_by_their_key() -> None:
    table = events((SESSION, "checkout.opened", {}, None), (OTHER, "checkout.opened", {}, None))
    targets = Targets(dropped=frozenset({SESSION}))
    assert [row["subject"] for row in erased(table, targets)] == [OTHER]
    quarantine = pa.table({"key": pa.array([SESSION.encode(), OTHER.encode(), None], pa.binary())})
    kept = changes(data_map(), targets)["quarantine"].apply(quarantine)
    assert kept["key"].to_pylist() == [OTHER.encode(), None]


def test_without_anybody_nothing_is_rewritten() -> None:
    assert changes(data_map(), Targets()) == {}
