from dataclasses import fields

from sqlalchemy import Connection, text

from web.db.scope import Scope, Tenant
from web.privacy.models import ErasureRequest

_COLUMNS = ", ".join(field.name for field in fields(ErasureRequest))
_TENANT = text("SELECT subject_id, merchant_id, false FROM tenant_of_subject(:id)")
_BY_KEY = text(f"SELECT {_COLUMNS} FROM erasure_requests WHERE idempotency_key = :key")  # noqa: S608
_OPEN = text(f"SELECT {_COLUMNS} FROM erasure_requests WHERE subject_id = :subject_id AND status = 'open'")  # noqa: S608
# Two requests at once: one is first, the other finds it afterwards, by its key or by its subject.
_INSERT = text("""
INSERT INTO erasure_requests (id, merchant_id, subject_id, requested_by, reason, idempotency_key, received_at)
VALUES (:id, :merchant_id, :subject_id, :requested_by, :reason, :key, :now) ON CONFLICT DO NOTHING
""")


def tenant_of_subject(connection: Connection, subject_id: str) -> Tenant | None:
    """Whose data subject this is; mode says nothing here, a subject has payments of both."""
    row = connection.execute(_TENANT, {"id": subject_id}).one_or_none()
    return None if row is None else Tenant(row[0], row[1], row[2])


def by_key(scope: Scope, key: str) -> ErasureRequest | None:
    """The request that came under this idempotency key."""
    row = scope.connection.execute(_BY_KEY, {"key": key}).mappings().one_or_none()
    return None if row is None else ErasureRequest(**row)


def open_of(scope: Scope, subject_id: str) -> ErasureRequest | None:
    """The subject's request that is not fulfilled yet."""
    row = scope.connection.execute(_OPEN, {"subject_id": subject_id}).mappings().one_or_none()
    return None if row is None else ErasureRequest(**row)


def insert(scope: Scope, request_id: str, subject_id: str, requested_by: str, reason: str, key: str) -> None:
    """Insert an open request, unless the key or an open request of the subject is there."""
    scope.connection.execute(
        _INSERT,
        {
            "id": request_id,
            "merchant_id": scope.merchant_id,
            "subject_id": subject_id,
            "requested_by": requested_by,
            "reason": reason,
            "key": key,
            "now": scope.now,
        },
    )
