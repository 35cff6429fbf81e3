from web.http.contract import Shown, doc


class FieldProblem(Shown):
    """One wrong field."""

    pointer: str = doc(
        "Where: a JSON pointer into the body (RFC 6901), or `?name` for a query parameter.", "/amount_minor", "?limit"
    )
    detail: str = doc("What is wrong with it, as a sentence's end.", "must be at least 1")


class ProblemDocument(Shown):
    """Why a request was refused (RFC 9457)."""

    type: str = doc("The kind of problem, as a URI.", "urn:meridian:problem:invalid_fields")
    title: str = doc(
        "The kind of problem in words; the same for every problem of the kind.", "Some fields are not valid"
    )
    status: int = doc("The HTTP status code.", 422)
    code: str = doc("The kind of problem, to branch on.", "invalid_fields")
    detail: str = doc("What happened this time. For people; do not parse it.", "/amount_minor: must be at least 1")
    request_id: str = doc("Names the request; give it to support.", "req_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    documentation_url: str = doc(
        "Where this kind of problem is explained.", "https://eu.meridian.test/docs/problems#invalid_fields"
    )
    errors: list[FieldProblem] = doc(
        "Each wrong field; only with problems about fields.",
        [{"pointer": "/amount_minor", "detail": "must be at least 1"}],
        default=[],
    )
    region: str = doc("With `wrong_region`: where the object lives.", "us", default="")
    base_url: str | None = doc("With `wrong_region`: that region's API.", "https://us.meridian.test", default=None)
    required_scope: str | None = doc("With `scope_missing`: what the key lacks.", "links:write", default=None)
    refundable_minor: int = doc(
        "With `refund_exceeds_refundable`: what can be refunded, in minor units of `currency`.", 1999, default=0
    )
    currency: str = doc("With amounts: their ISO 4217 code.", "EUR", default="")
