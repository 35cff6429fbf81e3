"""A merchant's side of the API in tests: a link to make, and what a problem document has to say."""

import json
from typing import Any

from werkzeug.test import TestResponse

BODY: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "reference": "INV-1"}


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.data)
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["request_id"] == answer.headers["Request-Id"]
    assert document["type"] == f"urn:meridian:problem:{code}"
    assert document["title"]
    assert document["documentation_url"] == f"https://eu.meridian.test/docs/problems#{code}"
    assert document["detail"]
    return document
