from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import Rule

from regions.errors import ConfigurationError
from web.http.contract import ATTRIBUTE, Operation

PREFIX = "/v1/"
_SILENT = frozenset({"HEAD", "OPTIONS"})  # the framework answers these


@dataclass(frozen=True, slots=True)
class Declared:
    """A route of the public API with its declaration."""

    rule: Rule
    method: str
    operation: Operation


def declared(app: Flask) -> list[Declared]:
    """Every route of /v1, by path. Raises ConfigurationError naming the first without a declaration."""
    found = []
    for rule, method in sorted(_routes(app), key=lambda each: (each[0].rule, each[1])):
        operation = getattr(app.view_functions[rule.endpoint], ATTRIBUTE, None)
        if operation is None:
            raise ConfigurationError(
                f"{method} {rule.rule} says nothing about itself: put @operation(…) of web.http.contract between the "
                f"blueprint's decorator and the edge's, on {rule.endpoint}."
            )
        found.append(Declared(rule, method, operation))
    return found


def _routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PREFIX):
            for method in (rule.methods or set()) - _SILENT:
                yield rule, method
