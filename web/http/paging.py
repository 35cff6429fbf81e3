"""Lists: the newest first, by cursor. A cursor is the id of an object, so pages stay right while objects are added."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import RowMapping, text

from web.db.scope import Scope
from web.http.bodies import Body, Moment, Text
from web.http.contract import doc
from web.http.problems import FieldError, InvalidFieldsError

LIMIT_MAX = 100
EXAMPLE_ID = "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse"

Cursor = Annotated[Text, StringConstraints(min_length=1, max_length=64)]


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> str:
        """The id."""


RowT = TypeVar("RowT", bound=HasId)


class Paged(Body):
    """What every list takes."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = doc("How many objects a page holds at most.", 20, default=20)
    starting_after: Cursor | None = doc(
        "The id of an object: the page begins with the next older one.",
        EXAMPLE_ID,
        default=None,
    )
    ending_before: Cursor | None = doc(
        "The id of an object: the page ends with the next newer one.",
        EXAMPLE_ID,
        default=None,
    )
    created_from: Moment | None = doc(
        "Only what was created then or later (RFC 3339).", "2030-11-01T00:00:00Z", default=None
    )
    created_before: Moment | None = doc(
        "Only what was created earlier (RFC 3339).", "2030-12-01T00:00:00Z", default=None
    )

    @model_validator(mode="after")
    def _one_cursor(self) -> Self:
        if self.starting_after is not None and self.ending_before is not None:
            raise ValueError("starting_after and ending_before cannot both be given")
        return self


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list selects, in SQL of ours: `filters` are conditions whose values are in `values`.

    `joined` is another table that leads to the rows, as `JOIN … ON …`; `order` says whose moments and ids, equal to the
    rows', have an index in the list's order. `parts` are sources of rows, each with a condition: together they have all
    rows that the filters want, each once, and each is searched in its own way.
    """

    table: str
    columns: str
    filters: Sequence[str]
    values: Mapping[str, Any]
    joined: str = ""
    order: tuple[str, str] = ("t.created_at", "t.id")
    parts: Sequence[tuple[str, str]] = ()


def fetch(scope: Scope, listing: Listing, asked: Paged, make: Callable[[RowMapping], RowT]) -> tuple[list[RowT], bool]:
    """A page of the merchant's rows in the scope's mode, newest first, and whether there are more beyond it.

    Rows of the table have `id`, `merchant_id`, `livemode`, `created_at`. Raises InvalidFieldsError for a cursor that
    names nothing of the merchant's.
    """
    is_backward = asked.ending_before is not None
    cursor = asked.ending_before or asked.starting_after
    moment_of, id_of = listing.order
    where = ["t.merchant_id = :merchant_id", "t.livemode = :livemode", *listing.filters]
    values: dict[str, Any] = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, **listing.values}
    if cursor is not None:
        where.append(f"({moment_of}, {id_of}) {'>' if is_backward else '<'} (:cursor_at, :cursor)")
        values |= {"cursor": cursor, "cursor_at": _moment_of(scope, listing.table, cursor, is_backward=is_backward)}
    for name, sign in (("created_from", ">="), ("created_before", "<")):
        if (moment := getattr(asked, name)) is not None:
            where.append(f"{moment_of} {sign} :{name}")
            values[name] = moment
    way = "ASC" if is_backward else "DESC"
    selects = [
        f"""
        SELECT {listing.columns} FROM {source} AS t {listing.joined} WHERE {" AND ".join([*where, condition])}
         ORDER BY {moment_of} {way}, {id_of} {way} LIMIT :row_limit
        """  # noqa: S608 - constants of this codebase; every value is a parameter
        for source, condition in listing.parts or [(listing.table, "true")]
    ]
    statement = selects[0]
    if listing.parts:
        united = " UNION ALL ".join(f"({select})" for select in selects)
        statement = f"SELECT t.* FROM ({united}) AS t ORDER BY t.created_at {way}, t.id {way} LIMIT :row_limit"  # noqa: S608
    rows = scope.connection.execute(text(statement), {**values, "row_limit": asked.limit + 1}).mappings()
    found = [make(row) for row in rows]
    page = found[: asked.limit]
    return page[::-1] if is_backward else page, len(found) > asked.limit


def _moment_of(scope: Scope, table: str, cursor: str, *, is_backward: bool) -> Any:
    statement = text(f"SELECT created_at FROM {table} WHERE id = :id AND livemode = :livemode")  # noqa: S608 - a constant
    values = {"id": cursor, "livemode": scope.livemode}
    found: Any = scope.connection.execute(statement, values).scalar_one_or_none()
    if found is None:
        name = "ending_before" if is_backward else "starting_after"
        raise InvalidFieldsError([FieldError(f"?{name}", "names nothing in this list")])
    return found


def list_json(data: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A page as the API shows it. `has_more` speaks of the direction that was asked for."""
    return {"object": "list", "data": data, "has_more": has_more}
