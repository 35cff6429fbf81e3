"""Small dbt projects for tests of residency by lineage."""

from pipelines.residency.check import check
from pipelines.residency.manifest import Project, Relation
from regions.data_map import data_map
from regions.residency import ResidencyClass

E, R, P = ResidencyClass.EXPORTABLE, ResidencyClass.REGIONAL, ResidencyClass.PII
SIZE = 5

STAGED = Relation(
    "stg_payment_created",
    "model",
    ("warehouse", "main_staging", "stg_payment_created"),
    {"payment_id": R, "currency": E, "amount_minor": E, "event_at": E, "merchant_id": R},
    "select * from lake.main.events",
    is_staging=True,
    event="payment.created",
)
PAYERS = Relation("crm.payers", "source", ("lake", "main", "payers"), {"payment_id": R, "token": P, "country": E})
TERMS = Relation("terms", "seed", ("warehouse", "main", "terms"), {"currency": E, "label": E, "account": R})
UNCLASSED = Relation("crm.notes", "source", ("lake", "main", "notes"), {"currency": E, "note": None})
MART = "warehouse.main.fct_payments"
STAGE = "warehouse.main_staging.stg_payment_created"


def mart(sql: str | None = None, name: str = "fct_payments") -> Relation:
    sql = sql or f"select payment_id, currency, amount_minor, merchant_id from {STAGE}"
    columns = {"payment_id": R, "currency": E, "amount_minor": E, "merchant_id": R}
    return Relation(name, "model", ("warehouse", "main", name), columns, sql)


def out(sql: str, *columns: str) -> Relation:
    names = columns or ("currency", "amount_minor")
    address = ("warehouse", "main", "glb")
    return Relation("glb", "model", address, dict.fromkeys(names, E), sql, tags=frozenset({"global"}))


def problems(*models: Relation) -> list[str]:
    others = (STAGED, PAYERS, TERMS, UNCLASSED, *models)
    found = check(Project.of(list({relation.name: relation for relation in others}.values())), data_map(), SIZE)
    return [problem for problem in found.problems if "crm.notes" not in problem or problem.startswith("glb")]
