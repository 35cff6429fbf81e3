"""The OpenAPI document is whole, and the service keeps it: generated requests, valid and not, at every route."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from flask import Blueprint, Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from regions.errors import ConfigurationError
from tests.support.regional import RegionDatabase
from web.http.problems import Problem
from web.openapi.routes import publish

EXAMPLES = 10
METHODS = {"get", "post", "patch", "put", "delete"}
NOT_OF_THE_API = {"forbidden", "webhook_rejected"}  # the console's, and what gateways are told

# What lies in the future for every run: the schema cannot say "later than now".
schemathesis.openapi.format(
    "date-time",
    st.integers(3600, 5 * 365 * 86400 - 3600).map(
        lambda seconds: (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    ),
)


@pytest.fixture(scope="module")
def contract(region_app: Flask) -> dict[str, Any]:
    answer = region_app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = json.loads(answer.data)
    return document


def properties(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every schema, however deep."""
    if isinstance(node, dict):
        for name, schema in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
            yield f"{where}.{name}", schema
        for key, child in node.items():
            yield from properties(child, f"{where}/{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from properties(child, f"{where}/{number}")


def test_every_field_is_described_with_its_unit_and_an_example(contract: dict[str, Any]) -> None:
    found = list(properties(contract["components"]["schemas"]))
    assert len(found) > 60
    for where, schema in found:
        assert schema.get("description"), where
        assert schema.get("examples") is not None, where
        if where.endswith("_minor"):
            assert "minor units" in schema["description"], where
        if where.endswith(("_at", "created_from", "created_before")):
            assert "RFC 3339" in schema["description"], where
    parameters = [
        parameter
        for path in contract["paths"].values()
        for operation in path.values()
        for parameter in operation["parameters"]
    ]
    assert all(parameter["description"] for parameter in parameters)


def test_names_and_modes_are_what_a_client_library_can_show(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == []  # two models of one name: the document would show modules
    without_mode = {
        name
        for name, schema in schemas.items()
        if {"id", "object", "created_at"} <= schema.get("properties", {}).keys() - {"livemode"}
        and "livemode" not in schema["properties"]
    }
    assert without_mode == {"AttemptObject", "MerchantObject"}  # a payment's; and who it is, in either mode


def test_every_problem_of_the_code_is_in_the_document_and_on_its_page(
    contract: dict[str, Any], region_app: Flask
) -> None:
    def below(kind: type[Problem]) -> set[str]:
        return {kind.code} | {code for child in kind.__subclasses__() for code in below(child)}

    documented = {problem["code"] for problem in contract["x-problems"]}
    page = region_app.test_client().get("/docs/problems").text
    assert below(Problem) - NOT_OF_THE_API == documented
    for code in documented:
        assert f'id="{code}"' in page
    for path in contract["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if status >= "4":
                    codes = answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]
                    assert set(codes["enum"]) <= documented


def test_a_route_without_a_declaration_does_not_start(region_app: Flask) -> None:
    app = Flask("undeclared")
    blueprint = Blueprint("secretive", __name__)
    blueprint.get("/v1/secrets")(lambda: "")
    app.register_blueprint(blueprint)
    wiring = region_app.extensions["meridian"]
    with pytest.raises(ConfigurationError, match=r"GET /v1/secrets .* @operation"):
        publish(app, wiring.region, "https://eu.meridian.test")


def test_the_document_may_be_cached(region_app: Flask) -> None:
    client = region_app.test_client()
    etag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def closed(contract: dict[str, Any]) -> dict[str, Any]:
    """The document without room for fields that it does not name: ours have to be named."""
    strict = copy.deepcopy(contract)
    for schema in strict["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return strict


def whole(value: Any) -> Any:
    """JSON Schema calls 19.0 an integer; amounts are never floats here."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    return [whole(each) for each in value] if isinstance(value, list) else value


def config() -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "checks": {
                # Rules that bind several fields are no part of the schema: their problem has another code, which
                # `a_documented_refusal` insists on.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]},
            },
            "generation": {"allow-x00": True, "codec": "utf-8", "with-security-parameters": False},
        }
    )


def samples(region_app: Flask, headers: dict[str, str]) -> dict[str, str]:
    """An object of each kind that generated requests may meet."""
    client = region_app.test_client()
    body = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1", "usage": "multi"}
    return {"link_id": client.post("/v1/links", json=body, headers=headers).get_json()["id"]}


RANGES = {"metadata_value", "starting_after", "ending_before", "/url"}


def a_documented_refusal(response: Any, case: Any) -> None:
    """Of a request that fits the schema, only what the schema cannot say may be refused."""
    if response.status_code != 422 or not case.meta.generation.mode.is_positive:
        return
    problem = response.json()
    if problem["code"] == "invalid_fields":
        assert all(error["pointer"].lstrip("?") in RANGES | {""} for error in problem["errors"]), problem["errors"]


@pytest.fixture(scope="module")
def tried(contract: dict[str, Any], region_app: Flask, region_database: RegionDatabase) -> Callable[[str, str], None]:
    headers = {"Authorization": f"Bearer {region_database.secret_key}"}
    schema = schemathesis.openapi.from_dict(closed(contract), config=config())
    schema.app = region_app
    known = samples(region_app, headers)

    def run(method: str, path: str) -> None:
        operation = schema[path][method]
        modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
        strategies = [operation.as_strategy(generation_mode=mode) for mode in modes]

        @settings(
            max_examples=EXAMPLES * 2,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(strategies), is_known=st.booleans())
        def check(case: Any, is_known: bool) -> None:  # noqa: FBT001 - drawn
            is_positive = case.meta.generation.mode.is_positive  # before we touch it: an altered case is judged anew
            if is_known and is_positive:
                case.path_parameters = {
                    name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
                }
            if is_positive:
                case.body = whole(case.body)
            response = case.call(headers=headers)
            not_for_it = [negative_data_rejection] if is_positive else []
            case.validate_response(response, headers=headers, excluded_checks=not_for_it)
            a_documented_refusal(response, case)

        check()

    return run


def routes() -> list[tuple[str, str]]:
    from flask import Flask as App

    from web.app import BLUEPRINTS
    from web.openapi.registry import PREFIX

    app = App("routes")
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return sorted(
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(PREFIX)
    )


@pytest.mark.parametrize(("method", "path"), routes())
def test_generated_requests_meet_what_is_documented(tried: Callable[[str, str], None], method: str, path: str) -> None:
    tried(method, path)
