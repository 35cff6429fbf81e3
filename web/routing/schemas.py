from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import RowMapping

from regions.events import timestamp
from web.http.bodies import Body
from web.http.contract import Shown, doc
from web.links.terms import Method

Gateway = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}\z")]


class SavePreference(Body):
    """Which gateways a merchant wants to be asked first for a method. An empty list leaves it to the platform."""

    method: Method = doc("For payments by this method.", "card")
    gateways: Annotated[list[Gateway], Field(max_length=10)] = doc(
        "Names of the region's gateways that take the method, the preferred first.", ["sandbox_b", "sandbox"]
    )


class PreferenceObject(Shown):
    """Which gateways a merchant wants to be asked first for a method."""

    object: Literal["routing_preference"] = doc("What this is.", "routing_preference")
    method: str = doc("For payments by this method.", "card")
    gateways: list[str] = doc("The preferred first; empty: the platform decides.", ["sandbox_b", "sandbox"])
    updated_at: datetime | None = doc("When it was said (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")


class PreferenceList(Shown):
    """A merchant's preferences."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PreferenceObject] = doc("One for each method that has one.", [])


def preference_json(method: str, gateways: list[str], updated_at: datetime | None) -> dict[str, Any]:
    """A preference as the API shows it."""
    at = None if updated_at is None else timestamp(updated_at)
    return {"object": "routing_preference", "method": method, "gateways": gateways, "updated_at": at}


def row_json(row: RowMapping) -> dict[str, Any]:
    """The same, from its row."""
    return preference_json(row["method"], list(row["gateways"]), row["updated_at"])
