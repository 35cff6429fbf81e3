"""What a route of /v1 promises, beside the code that keeps it. web.openapi makes the OpenAPI document of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from web.http.bodies import Body
from web.http.problems import Problem
from web.http.scopes import KeyScope

View = TypeVar("View", bound=Callable[..., Any])
ATTRIBUTE = "__operation__"
JSON = "application/json"


class Shown(BaseModel):
    """A JSON object that the API answers. Every field is always there; what has no value is null.

    Readers tolerate fields that they do not know, so later versions may add some; our own tests do not.
    """


def doc(description: str, *examples: Any, **more: Any) -> Any:
    """A documented field: what it means, in which unit, and examples."""
    return Field(description=description, examples=list(examples), **more)


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it takes, what it answers, and each way in which it can refuse."""

    summary: str
    tag: str
    response: type[BaseModel] | None  # None: not JSON, see `media`
    scope: KeyScope  # what a key needs to be let in
    status: int = 200
    body: type[Body] | None = None
    is_body_required: bool = True
    query: type[Body] | None = None
    errors: tuple[type[Problem], ...] = ()
    media: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # media type → what it holds
    body_media: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of the answer


def scope_of(view: Callable[..., Any] | None) -> KeyScope | None:
    """What a key needs for a view; None for a view that declares nothing."""
    declared: Operation | None = getattr(view, ATTRIBUTE, None)
    return None if declared is None else declared.scope


def operation(
    summary: str, tag: str, response: type[BaseModel] | None, *, scope: KeyScope, **more: Any
) -> Callable[[View], View]:
    """Declare a route of /v1; put it between `@blueprint.…` and `@merchant_route`. Takes the fields of Operation.

    There is no route without a scope: without one, the edge would not know which restricted keys to let in.
    """
    declared = Operation(summary, tag, response, scope, **more)

    def declare(view: View) -> View:
        setattr(view, ATTRIBUTE, declared)
        return view

    return declare
