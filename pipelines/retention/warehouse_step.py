"""Erasure in the warehouse: it is built again into a new file, and builds that hold what was erased are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.retention.search import warehouse as search
from pipelines.retention.search.needles import Needles
from warehouse.builds import Warehouse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.retention.document import Plan
    from pipelines.retention.planning import Desk
    from pipelines.retention.search_values import Values
    from regions.region import Region


def run(at: Desk, env: Mapping[str, str], plan: Plan, values: Values) -> dict[str, Any]:
    """Build anew and publish if what readers see was made from rows that have changed; remove builds that hold values.

    Ciphertext never reaches a build, so a plan that touches nothing else leaves the builds as they are.
    """
    warehouse = Warehouse.open(at.region, env)
    holding = _holding(warehouse, values)
    if not holding and not _changes_what_builds_read(plan):
        return {"builds_searched": len(search.builds(warehouse)), "builds_removed": []}
    published = next((r for r in warehouse.records() if r.number == warehouse.published()), None)
    rebuilt = None
    if published is not None:
        rebuilt = _build_anew(at.region, env, warehouse, published.business_date)
    old = [path for path in search.builds(warehouse) if path.name in holding or _is_before(path.name, rebuilt)]
    with warehouse.lock():
        for path in old:
            path.unlink(missing_ok=True)
        for path in (warehouse.folder / "work").glob("*.duckdb"):
            path.unlink()  # views over files that are gone
        warehouse.drop_unread_parts()
    return {"built": f"build-{rebuilt}" if rebuilt else None, "builds_removed": [path.name for path in old]}


def _build_anew(region: Region, env: Mapping[str, str], warehouse: Warehouse, day: Any) -> int:
    from pipelines.builds.service import build_warehouse
    from pipelines.recon.service import reconcile_day

    build_warehouse(region, day, env, refresh=True, is_whole=True)
    reconcile_day(region, day, env, None)
    with warehouse.lock():
        return warehouse.publish().number


def _holding(warehouse: Warehouse, values: Values) -> set[str]:
    searched = search.search(warehouse, Needles(values.needles()))
    return {hit.partition(",")[0] for hit in searched.hits}


def _is_before(name: str, rebuilt: int | None) -> bool:
    return rebuilt is not None and int(name.removeprefix("build-").removesuffix(".duckdb")) < rebuilt


def _changes_what_builds_read(plan: Plan) -> bool:
    """Builds read everything in the lake but ciphertext."""
    return any(
        effect["store"] == "lake" and entry["action"] != "destroy_key"
        for entry in plan.items
        for effect in entry["effects"]
    )
