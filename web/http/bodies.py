import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from web.http.problems import FieldError, InvalidFieldsError, MalformedRequestError, UnsupportedMediaTypeError

MODEL = TypeVar("MODEL", bound="Body")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _storable(value: str) -> str:
    """PostgreSQL stores no NUL, and control characters in a reference only confuse whoever reads it."""
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    return value


TEXT_PATTERN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
# The schema says it as a pattern; the check is Python's, whose message people can read.
Text = Annotated[
    str,
    AfterValidator(_storable),
    Field(json_schema_extra={"pattern": TEXT_PATTERN}),
]
DEPTH_MAX = 16
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def _written_as_moment(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE_FIRST.match(value)):
        raise ValueError("must be a moment as in RFC 3339, such as 2030-01-31T12:00:00Z")
    return value


_DATE_FIRST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
# Pydantic alone also takes seconds since 1970, in digits too, which the contract does not allow.
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_as_moment)]


class Body(BaseModel):
    """A JSON request body: strict types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=False)


class NoFields(Body):
    """A POST that takes no fields: an empty body, or {}."""


def parse_body(request: Request, model: type[MODEL]) -> MODEL:
    """Read a JSON object into `model`; raise the problem that names each wrong field by JSON pointer."""
    raw = request.get_data(cache=True)
    if not raw and not any(field.is_required() for field in model.model_fields.values()):
        raw = b"{}"
    elif request.mimetype != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with Content-Type: application/json.")
    return parse_json(raw, model)


def parse_json(raw: bytes, model: type[MODEL]) -> MODEL:
    """Read JSON bytes into `model`; see parse_body."""
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX and depth(raw) > DEPTH_MAX:
        raise MalformedRequestError(f"The body is nested deeper than {DEPTH_MAX} levels.")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _problem(error.errors(include_url=False, include_input=False)) from None


def depth(raw: bytes) -> int:
    """How deep arrays and objects are nested, brackets inside strings aside. What is not JSON counts all the same."""
    deepest = level = 0
    for match in _BRACKETS.finditer(raw):
        if match[0] in b"{[":
            level += 1
            deepest = max(deepest, level)
        elif match[0] in b"}]":
            level -= 1
    return deepest


def parse_query(request: Request, model: type[MODEL]) -> MODEL:
    """Read query parameters into `model` (strings are converted); an unknown or repeated parameter is an error."""
    repeated = [
        FieldError(f"?{name}", "given more than once") for name, values in request.args.lists() if len(values) > 1
    ]
    if repeated:
        raise InvalidFieldsError(repeated)
    try:
        return model.model_validate_strings(request.args.to_dict())
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidFieldsError(
            [FieldError("?" + "".join(map(str, detail["loc"][:1])), _sentence(detail)) for detail in details]
        ) from None


def _problem(details: Sequence[ErrorDetails]) -> InvalidFieldsError | MalformedRequestError:
    if details[0]["type"] == "json_invalid":
        return MalformedRequestError(
            "The body is not valid JSON: " + str(details[0].get("ctx", {}).get("error", "")) + "."
        )
    return InvalidFieldsError([FieldError(pointer(detail["loc"]), _sentence(detail)) for detail in details])


def pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) of a place in a document."""
    parts = [part for part in location if part != "[key]"]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _sentence(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "unknown field"
        case "missing":
            return "required"
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]


def field_error(name: str, detail: str) -> InvalidFieldsError:
    """One wrong top-level field, found after parsing."""
    return InvalidFieldsError([FieldError(pointer([name]), detail)])


def as_text(value: Any) -> str:
    """Text of a header or a form field that the database can hold; raises MalformedRequestError."""
    try:
        return _storable(str(value))
    except ValueError as error:
        raise MalformedRequestError(str(error)) from None
