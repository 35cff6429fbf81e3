"""Proof that what a plan erased is gone: every store is searched, after each search has found a live canary."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from pipelines.retention import search_values, tables
from pipelines.retention.document import Plan, is_of_subject
from pipelines.retention.search import kafka, lake, postgres
from pipelines.retention.search import warehouse as builds
from pipelines.retention.search.needles import Needles, Searched
from regions.errors import KeyDestroyedError, MeridianError, UsageError
from regions.retention import Action
from regions.vault import Sealed
from warehouse.builds import Warehouse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.retention.planning import Desk
    from pipelines.retention.search_values import Values
    from pipelines.retention.store import Stored
    from regions.vault import Vault

VERIFY = "verify"


class BlindSearchError(MeridianError):
    """A search does not find what is there: what it does not find proves nothing."""


class NotErasedError(MeridianError):
    """Something that was to be erased was found."""


def verify(at: Desk, vault: Vault, env: Mapping[str, str], stored: Stored) -> dict[str, Any]:
    """Search every store and try every key. Raises NotErasedError naming the places, BlindSearchError.

    Returns the evidence: what was looked at, which canaries were found, what remains and where.
    """
    if stored.status != "done":
        raise UsageError(f"The plan {stored.hash.hex()[:12]} is not done: run `meridian retention run` first")
    plan = stored.plan
    values = search_values.load(at, vault, stored.hash)
    needles = Needles(values.needles())
    warehouse = Warehouse.open(at.region, env)
    canaries = _prove_sight(at, vault, warehouse)
    searched = [postgres.search(at, vault, needles), lake.search(at, needles), builds.search(warehouse, needles)]
    searched.append(_search_kafka(at, env, needles, values))
    problems = [f"{found.store}: {hit}" for found in searched for hit in found.hits]
    problems += _live_keys(vault, plan, values)
    problems += _rows_left(at, plan)
    if problems:
        raise NotErasedError(f"Not everything is gone: {'; '.join(problems[:20])}")
    return {
        "searched": [asdict(found) for found in searched],
        "canaries_found": canaries,
        "values_searched": len(values.plain) + len(values.tokens) + len(values.sealed),
        "values_shared_with_others": values.shared,
        "values_too_short_to_search": values.short,
    }


def _prove_sight(at: Desk, vault: Vault, warehouse: Warehouse) -> list[str]:
    """Each way of searching has to find a value that is certainly there. Raises BlindSearchError."""
    planted = postgres.canary(at)
    in_lake, in_builds = lake.canaries(at), builds.canaries(warehouse)
    seen = {
        "postgres": postgres.search(at, vault, Needles([planted] if planted else [])),
        "lake": lake.search(at, Needles(in_lake.values())),
        "warehouse": builds.search(warehouse, Needles(in_builds.values())),
    }
    ways = ["postgres rows", *(f"lake {way}" for way in in_lake), *(f"warehouse {way}" for way in in_builds)]
    for way in ways:
        if not any(_is_seen_by(way, hit) for hit in seen[way.split()[0]].hits):
            raise BlindSearchError(f"The search of {way} does not find what is there: nothing is proven")
    return ways


def _is_seen_by(way: str, hit: str) -> bool:
    """Whether a hit is of the kind that this way of searching makes."""
    if way == "warehouse decoded tables":
        return ".duckdb, " in hit and not hit.endswith(", raw")
    kinds = {
        "postgres rows": ".",
        "lake decoded pages": ", column ",
        "lake raw bytes": ", raw",
        "lake decoded statistics": ", statistics",
        "lake decoded manifests": " manifests",
        "warehouse raw bytes": ", raw",
    }
    return kinds[way] in hit


def _search_kafka(at: Desk, env: Mapping[str, str], needles: Needles, values: Values) -> Searched:
    """Kafka cannot erase: what it still holds is told. A plain value there is a failure like anywhere else."""
    bootstrap = at.region.kafka_bootstrap_servers(env)
    try:
        searched = kafka.search(bootstrap, at.region.code, needles)
        plain = kafka.search(bootstrap, at.region.code, Needles([value.encode() for value in values.plain]))
    except KafkaException as error:
        unreachable = Searched("kafka")
        unreachable.remains.append(f"all topics: not searched, the broker does not answer ({error.args[0]})")
        return unreachable
    for place in plain.remains:
        searched.hit(f"plain values in {place}")
    if not searched.looked_at.get("records"):
        searched.remains.append("no records: the topics are empty, and nothing was there to prove the search with")
    return searched


def _live_keys(vault: Vault, plan: Plan, values: Values) -> list[str]:
    """Every ciphertext that the plan closed has to stay closed: what Kafka and backups hold of it is unreadable."""
    import base64

    problems = []
    for entry in plan.items:
        if entry["action"] != Action.DESTROY_KEY:
            continue
        for ciphertext in values.sealed:
            try:
                vault.decrypt(Sealed(entry["subject"], entry["data_class"], base64.b64decode(ciphertext)))
            except KeyDestroyedError:
                continue
            problems.append(f"vault: the key of {entry['subject']} for {entry['data_class']} still opens")
    return list(dict.fromkeys(problems))


def _rows_left(at: Desk, plan: Plan) -> list[str]:
    """Row by row, also for values that others share: the subject's columns are empty."""
    problems = []
    for entry in plan.items:
        if is_of_subject(entry):
            is_key = entry["action"] == Action.DESTROY_KEY
            statements = tables.drop_sealed(at.found) if is_key else tables.null_tokens(at.found, entry["data_class"])
            parameters = {"subject": entry["subject"], "data_class": entry["data_class"]}
            for statement in statements:
                row = at.connection.execute(statement.count, parameters).fetchone()
                if row and row[0]:
                    problems.append(f"postgres: {row[0]} rows of {statement.table}.{statement.column}")
        elif entry["action"] == Action.DELETE and entry["dataset"] != "merchants":
            query, values = tables.count_left(at.found.tables[entry["dataset"]], entry["keys"])
            row = at.connection.execute(query, values).fetchone()
            if row and row[0]:
                problems.append(f"postgres: {row[0]} rows of {entry['dataset']}")
    return problems
