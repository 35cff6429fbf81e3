"""What `meridian up` tells everybody else: the content of stack.json."""

from collections.abc import Mapping
from typing import Any

from pipelines.stack import airflow, programs
from pipelines.stack.plan import CONSOLE_USER, ROLES, VERSION, Plan, RegionPlan


def stack_document(plan: Plan, merchants: Mapping[str, str]) -> dict[str, Any]:
    """What stack.json says; `merchants` has each region's merchant id."""
    kinds = {region.is_kafka_local for region in plan.regions}
    return {
        "version": VERSION,
        "kafka_kind": plan.kafka_kind if True in kinds else "external",
        "regions": {region.code: _region_entry(region, merchants[region.code]) for region in plan.regions},
        "sandbox": {
            "url": plan.sandbox_url,
            "control_key": plan.secrets["control_key"],
            "database_url": plan.sandbox_database_url,
            "processes": list(programs.SANDBOX_NAMES),
        },
        **({airflow.PART: airflow.entry(plan)} if plan.has_airflow else {}),
    }


def _region_entry(region: RegionPlan, merchant_id: str) -> dict[str, Any]:
    return {
        "api_url": region.api_url,
        "console_url": region.console_url,
        "console_user": CONSOLE_USER,
        "console_password": region.secrets["console_password"],
        "secret_key": region.secrets["secret_key"],
        "merchant_id": merchant_id,
        "database_url": region.database_url,
        "role_urls": {role: region.role_url(role) for role in ROLES},
        "kafka": region.kafka,
        "lake_uri": region.lake_uri,
        "vault_uri": region.vault_uri,
        "warehouse_uri": region.warehouse_uri,
        "warehouse_path": region.warehouse_path,
        **{name: region.secrets[name] for name in ("service_key", "key_pepper")},
        **{name: region.secrets[name] for name in ("sandbox_api_key", "sandbox_webhook_secret")},
        "processes": programs.region_names(region),
    }
