from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Moment, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.http.scopes import KeyKind, KeyScope
from web.keys.domain import status_at
from web.keys.models import Key

Name = Annotated[Text, StringConstraints(max_length=100)]
Networks = Annotated[list[Annotated[Text, StringConstraints(max_length=43)]], Field(max_length=50)]
ObjectId = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Overlap = Annotated[int, Field(ge=0, le=30 * 86_400)]
KeyStatus = Literal["active", "expired", "revoked"]
DAY_SECONDS = 86_400


class CreateKey(Body):
    """An API key to make, in the mode of the key that asks."""

    kind: KeyKind = doc(
        "`secret` may do everything, `restricted` what its `scopes` say, `publishable` only what every payer may see.",
        "restricted",
    )
    name: Name = doc("Your name for it.", "ERP export", default="")
    scopes: Annotated[list[KeyScope], Field(max_length=50)] | None = doc(
        "What a restricted key may do, and only there. `:write` includes `:read`.",
        ["links:write", "payments:read"],
        default=None,
    )
    allowed_networks: Networks = doc(
        "From where it may be used: addresses or networks (CIDR). Empty means from anywhere.",
        ["203.0.113.0/24"],
        default_factory=list,
    )
    expires_at: Moment | None = doc("When it stops to work (RFC 3339).", "2030-01-31T12:00:00Z", default=None)


class UpdateKey(Body):
    """What to change. A field that is left out stays. What a key may do never changes: make another."""

    name: Name = doc("Your name for it.", "ERP export", default="")
    allowed_networks: Networks = doc("From where it may be used.", ["203.0.113.0/24"], default_factory=list)


class RollKey(Body):
    """A new key in the place of an old one, which goes on working for a while."""

    overlap_seconds: Overlap = doc(
        "How long the old key still works, in seconds: up to 30 days; 0 ends it at once.",
        DAY_SECONDS,
        default=DAY_SECONDS,
    )


class Commanded(Body):
    """What a command of the console says besides: whose keys, in which mode, and who wants it."""

    merchant_id: ObjectId
    livemode: bool
    actor: ObjectId


class CommandKey(CreateKey, Commanded):
    """POST /internal/v1/keys."""


class CommandRoll(RollKey, Commanded):
    """POST /internal/v1/keys/<id>/roll."""


class ListKeys(Paged):
    """Which keys to list, the newest first."""


class KeyObject(Shown):
    """An API key, without what it is."""

    id: str = doc("The key's id.", "key_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    object: Literal["api_key"] = doc("What this is.", "api_key")
    kind: KeyKind = doc("What sort of key it is.", "restricted")
    status: KeyStatus = doc("Whether it works now.", "active")
    name: str = doc("Your name for it.", "ERP export")
    prefix: str = doc("How it begins, to recognise it by.", "rk_test_eu_AbCd")
    secret: str | None = doc(
        "The key itself: in the answer that makes it, and never again; null in a repetition of that request.", None
    )
    scopes: list[KeyScope] = doc("What a restricted key may do; empty for other kinds.", ["links:write"])
    allowed_networks: list[str] = doc("From where it may be used; empty means from anywhere.", ["203.0.113.0/24"])
    api_version: str | None = doc(
        "The version of the API that it is answered in, unless a request says otherwise; null means the first.", None
    )
    rolled_from: str | None = doc("The key whose place it takes.", None)
    livemode: bool = doc("True if it moves real money.", False)
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    expires_at: datetime | None = doc("When it stops to work (RFC 3339, UTC).", None)
    revoked_at: datetime | None = doc("When it was revoked (RFC 3339, UTC).", None)
    last_used_at: datetime | None = doc("When it was last used, to the hour (RFC 3339, UTC).", None)


class KeyList(Shown):
    """A page of keys."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[KeyObject] = doc("The keys, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def key_json(key: Key, now: datetime, secret: str | None = None) -> dict[str, Any]:
    """A key as the API shows it; with its secret only when it is made."""
    return {
        "id": key.id,
        "object": "api_key",
        "kind": key.kind,
        "status": status_at(key.revoked_at, key.expires_at, now),
        "name": key.name,
        "prefix": key.prefix,
        "secret": secret,
        "scopes": key.scopes,
        "allowed_networks": [str(network) for network in key.allowed_networks],
        "api_version": key.api_version,
        "rolled_from": key.rolled_from,
        "livemode": key.livemode,
        "created_at": timestamp(key.created_at),
        **{name: _moment(getattr(key, name)) for name in ("expires_at", "revoked_at", "last_used_at")},
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
