"""The OpenAPI 3.1 document of one region, made of the code: routes, their declarations and their Pydantic models."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from regions.region import Region
from web.http.contract import JSON, Operation
from web.http.problems import Problem
from web.http.versions import CHANGES, LATEST
from web.openapi.problems import every_reason, reasons
from web.openapi.registry import Declared
from web.openapi.schemas import ProblemDocument

REF = "#/components/schemas/{model}"
PROBLEM_JSON = "application/problem+json"
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to repeat the request for 24 hours: 1 to 255 visible ASCII characters, no comma.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x2b\x2d-\x7e]{1,255}$"},
    "example": "0f8b5a52-3f0a-4c1c-9d4e-6f1d2f7f3a10",
}
_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


def document(region: Region, base_url: str, routes: Sequence[Declared]) -> dict[str, Any]:
    """The whole document. Enumerations that a region decides (currencies, locales, methods) are this region's."""
    models = _models(routes)
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas = {name: _tidy(schema, region) for name, schema in definitions["$defs"].items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.rule.rule)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Meridian API, region {region.code}",
            "version": LATEST,
            "summary": "Payment links: create, share, get paid, refund.",
            "description": (
                "Amounts are integers in minor units of their currency (1999 EUR is 19.99 €, 1999 JPY is 1999 ¥). "
                "Times are RFC 3339 in UTC. Errors are RFC 9457 problem documents. Lists go by cursor. "
                "A body is at most 64 KiB and 16 levels deep; a request has 5 seconds in the database. "
                "Fields that are not documented are refused by name. "
                f"This is version {LATEST}. A key is answered in the version that was the newest when it was made; the "
                "header `Meridian-Version: YYYY-MM-DD` asks for another (`x-changelog`)."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url, "description": f"Region {region.code}"}],
        "tags": [{"name": tag} for tag in sorted({route.operation.tag for route in routes})],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": (
                        f"An API key of this region: secret (mk_test_{region.code}_…, mk_live_…), restricted to scopes "
                        "(rk_…) or publishable (pk_…)."
                    ),
                }
            },
        },
        "x-changelog": [
            {"version": change.version, "title": change.title, "description": change.description} for change in CHANGES
        ],
        "x-problems": [
            {"code": each.code, "status": each.status, "title": each.title, "description": (each.__doc__ or "").strip()}
            for each in every_reason(routes)
        ],
    }


def _models(routes: Iterable[Declared]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {ProblemDocument: None}
    for route in routes:
        operation = route.operation
        found.update({model: None for model in (operation.body, operation.query, operation.response) if model})
    return list(found)


def _operation(route: Declared, schemas: dict[str, Any]) -> dict[str, Any]:
    operation = route.operation
    made: dict[str, Any] = {
        "operationId": route.rule.endpoint.replace(".", "_"),
        "summary": operation.summary,
        "description": f"A restricted key needs the scope `{operation.scope}`.",
        "security": [{"apiKey": [operation.scope]}],
        "tags": [operation.tag],
        "parameters": [*_path_parameters(route.rule), *_query_parameters(operation, schemas)],
        "responses": _responses(operation, route.method),
    }
    if route.method == "POST":
        made["parameters"].append(IDEMPOTENCY_KEY)
    if operation.body is not None:
        schema = {"$ref": REF.format(model=operation.body.__name__)}
        made["requestBody"] = {"required": operation.is_body_required, "content": {JSON: {"schema": schema}}}
    elif operation.body_media:
        content = {
            media: {"schema": {"type": "string", "description": text}} for media, text in operation.body_media.items()
        }
        made["requestBody"] = {"required": True, "content": content}
    return made


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The id of the {name.removesuffix('_id').replace('_', ' ')}.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_]+$"},
        }
        for name in _PARAMETER.findall(rule.rule)
    ]


def _query_parameters(operation: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = schemas[operation.query.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": part["description"],
            "schema": {key: value for key, value in part.items() if key not in {"description", "title"}},
        }
        for name, part in schema["properties"].items()
    ]


def _responses(operation: Operation, method: str) -> dict[str, Any]:
    headers = dict(_HEADERS)
    if method == "POST":
        headers["Idempotency-Replayed"] = _header("`true` if the answer was stored by an earlier request.")
    headers |= {name: _header(text) for name, text in operation.headers.items()}
    if operation.response is None:
        content = {
            media: {"schema": {"type": "string"}, "x-description": text} for media, text in operation.media.items()
        }
    else:
        content = {JSON: {"schema": {"$ref": REF.format(model=operation.response.__name__)}}}
    found: dict[str, Any] = {
        str(operation.status): {"description": operation.summary, "headers": headers, "content": content}
    }
    for status in sorted({reason.status for reason in reasons(operation, method)}):
        found[str(status)] = _refusal([each for each in reasons(operation, method) if each.status == status])
    return found


def _refusal(reasons_of_status: Sequence[type[Problem]]) -> dict[str, Any]:
    codes = [each.code for each in reasons_of_status]
    schema = {
        "allOf": [
            {"$ref": REF.format(model=ProblemDocument.__name__)},
            {"type": "object", "properties": {"code": {"enum": codes}}},
        ]
    }
    return {
        "description": "; ".join(f"`{each.code}`: {each.title}" for each in reasons_of_status),
        "headers": _HEADERS,
        "content": {PROBLEM_JSON: {"schema": schema}},
    }


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}


_HEADERS: Final = {
    "Meridian-Version": _header("The version of the API that the answer is in; not told to callers that are unknown."),
    "Request-Id": _header("Names this request in logs, events and problems."),
    "RateLimit-Policy": _header(
        "Each allowance that counts, the address's and the key's: `q` requests at once, refilled within `w` seconds."
    ),
    "RateLimit": _header("What is left of each: `r` requests at once; full again in `t` seconds."),
}


def _tidy(node: Any, region: Region) -> Any:
    """JSON Schema as other languages read it: ECMA patterns, no titles made of names, this region's values."""
    if isinstance(node, list):
        return [_tidy(each, region) for each in node]
    if not isinstance(node, dict):
        return node
    tidied = {
        key: _tidy(value, region) for key, value in node.items() if not (key == "title" and isinstance(value, str))
    }
    if isinstance(tidied.get("pattern"), str):
        tidied["pattern"] = tidied["pattern"].replace(r"\z", "$")
    if "x-region" in tidied:
        tidied["enum"] = _of_region(region, tidied.pop("x-region"))
        tidied.pop("pattern", None)
    return tidied


def _of_region(region: Region, what: str) -> list[str]:
    return {
        "currencies": list(region.currencies),
        "locales": ["auto", *region.locales],
        "payment_methods": [method.name for method in region.payment_methods],
    }[what]
