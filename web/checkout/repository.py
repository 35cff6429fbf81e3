from dataclasses import asdict, fields
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from regions.vault import SealedJson
from web.checkout.domain import SESSION, SessionStatus
from web.checkout.models import DueSession, Merchant, NewSession, Session
from web.db.scope import Scope
from web.links.models import Link
from web.links.pricing import Price

_COLUMNS = ", ".join(field.name for field in fields(Session))
_GET = text(f"SELECT {_COLUMNS} FROM checkout_sessions WHERE id = :id")  # noqa: S608
_LOCK = text(f"SELECT {_COLUMNS} FROM checkout_sessions WHERE id = :id FOR NO KEY UPDATE")  # noqa: S608
_MERCHANT = text("SELECT id, name, branding, logo IS NOT NULL AS has_logo FROM merchants WHERE id = :id")
_INSERT = text("""
INSERT INTO checkout_sessions (id, merchant_id, livemode, link_id, token_hash, amount_minor, currency, locale,
                               device_class, channel, campaign, created_at, expires_at, terms)
VALUES (:id, :merchant_id, :livemode, :link_id, :token_hash, :amount_minor, :currency, :locale,
        :device_class, :channel, :campaign, :now, :expires_at, CAST(:terms AS jsonb))
""")
_SUBJECT = text("""
INSERT INTO data_subjects (id, merchant_id, email_token, created_at) VALUES (:id, :merchant_id, :email_token, :now)
ON CONFLICT (merchant_id, email_token) DO NOTHING
""")
_FIND_SUBJECT = text("SELECT id FROM data_subjects WHERE merchant_id = :merchant_id AND email_token = :email_token")
_KEEP_PAYER = text(
    "UPDATE checkout_sessions SET subject_id = :subject_id, payer = CAST(:payer AS jsonb) WHERE id = :id"
)
_STATUS = text("SELECT status FROM checkout_sessions WHERE id = :id")
_COMPLETE = text("UPDATE checkout_sessions SET status = 'completed', completed_at = :now WHERE id = :id")
_EXPIRE = text("UPDATE checkout_sessions SET status = 'expired' WHERE id = :id")
_SAME_TOKEN = text("""
SELECT EXISTS (SELECT FROM attempts a JOIN payments p ON p.id = a.payment_id
                WHERE p.session_id = :session_id AND a.payment_token = :payment_token)
""")
# A session with a payment under way does not end: its payer may be at the bank.
_DUE = text("""
SELECT id, link_id, merchant_id, livemode FROM checkout_sessions s
 WHERE status = 'open' AND expires_at <= :now
   AND NOT EXISTS (SELECT FROM payments p WHERE p.session_id = s.id
                      AND p.status IN ('processing', 'requires_action', 'authorised'))
 ORDER BY expires_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")


def insert(scope: Scope, new: NewSession, link: Link, price: Price, expires_at: datetime) -> None:
    """Insert an open session at the price that the payer chose on the link."""
    scope.connection.execute(
        _INSERT,
        {
            "id": new.id,
            "merchant_id": scope.merchant_id,
            "livemode": scope.livemode,
            "link_id": link.id,
            "token_hash": new.token_hash,
            "amount_minor": price.amount_minor,
            "currency": price.currency,
            "locale": new.locale,
            "device_class": new.device_class,
            "channel": new.channel,
            "campaign": new.campaign,
            "now": scope.now,
            "expires_at": expires_at,
            "terms": orjson.dumps({"lines": [asdict(line) for line in price.lines]} if price.lines else {}).decode(),
        },
    )


def get(scope: Scope, session_id: str, *, is_locked: bool = False) -> Session:
    """One session; its id came from its token."""
    row = scope.connection.execute(_LOCK if is_locked else _GET, {"id": session_id}).mappings().one()
    return Session(**row)


def merchant(scope: Scope) -> Merchant:
    """The merchant whose page this is."""
    return Merchant(**scope.connection.execute(_MERCHANT, {"id": scope.merchant_id}).mappings().one())


def subject_of(scope: Scope, subject_id: str, email_token: str) -> str:
    """The data subject behind an e-mail token, with this id if it is new."""
    values = {"id": subject_id, "merchant_id": scope.merchant_id, "email_token": email_token, "now": scope.now}
    scope.connection.execute(_SUBJECT, values)
    found: str = scope.connection.execute(_FIND_SUBJECT, values).scalar_one()
    return found


def keep_payer(scope: Scope, session_id: str, payer: SealedJson) -> None:
    """Keep the payer's answers with the session, sealed."""
    sealed = {"retention_class": payer["retention_class"], "ciphertext": payer["ciphertext"]}
    scope.connection.execute(
        _KEEP_PAYER, {"id": session_id, "subject_id": payer["subject"], "payer": orjson.dumps(sealed).decode()}
    )


def has_used_token(scope: Scope, session_id: str, payment_token: str) -> bool:
    """Whether this session has submitted that token before: then a form was sent twice."""
    values = {"session_id": session_id, "payment_token": payment_token}
    return bool(scope.connection.execute(_SAME_TOKEN, values).scalar_one())


def complete(scope: Scope, session_id: str) -> None:
    """Mark a session as completed now; its row is locked. Raises IllegalTransitionError."""
    SESSION.move(_status(scope, session_id), SessionStatus.COMPLETED)
    scope.connection.execute(_COMPLETE, {"id": session_id, "now": scope.now})


def expire(scope: Scope, session_id: str) -> None:
    """Mark a session as expired; its row is locked. Raises IllegalTransitionError."""
    SESSION.move(_status(scope, session_id), SessionStatus.EXPIRED)
    scope.connection.execute(_EXPIRE, {"id": session_id})


def _status(scope: Scope, session_id: str) -> SessionStatus:
    return SessionStatus(scope.connection.execute(_STATUS, {"id": session_id}).scalar_one())


def lock_one_due(connection: Connection, now: datetime) -> DueSession | None:
    """Lock one open session whose time has passed and that pays nothing; other workers skip it."""
    row = connection.execute(_DUE, {"now": now}).mappings().one_or_none()
    return None if row is None else DueSession(**row)
