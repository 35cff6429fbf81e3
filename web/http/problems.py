"""What a caller is told when a request cannot be done: RFC 9457 problem documents, one class per reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regions.errors import MeridianError

TYPE_PREFIX = "urn:meridian:problem:"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: a JSON pointer into the body (or `?name`, or a header's name) and the reason."""

    pointer: str
    detail: str


class Problem(MeridianError):  # noqa: N818 - RFC 9457's word
    """A request that cannot be done; of this class itself: through a fault of ours. `detail` never repeats a secret."""

    status: int = 500
    code: str = "internal_error"
    title: str = "Something went wrong here"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def document(self, request_id: str, documentation_url: str) -> dict[str, Any]:
        """The problem as a JSON object; extension members come last. `documentation_url` is of all kinds."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
            "documentation_url": f"{documentation_url}#{self.code}",
        }
        if self.errors:
            document["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in self.errors]
        return document | self.members


class MalformedRequestError(Problem):
    """The bytes are not what they say: not JSON, or a header that cannot be."""

    status = 400
    code = "malformed_request"
    title = "The request cannot be read"


class UnauthenticatedError(Problem):
    """No key, or one that opens nothing."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="meridian"'})


class ForbiddenError(Problem):
    """Known, and not allowed."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class ScopeMissingError(ForbiddenError):
    """The key is valid and may not do this: `required_scope` is what it lacks. Use or make a key that has it."""

    code = "scope_missing"
    title = "The API key may not do this"

    def __init__(self, required: str | None) -> None:
        super().__init__(
            f"This API key lacks the scope {required}." if required else "Only a secret key may do this.",
            members={"required_scope": required},
        )


class AddressNotAllowedError(ForbiddenError):
    """The key is valid, and its list of allowed networks does not name where the request comes from."""

    code = "address_not_allowed"
    title = "The API key is not to be used from here"

    def __init__(self) -> None:
        super().__init__("This API key may not be used from this network address.")


class NotFoundError(Problem):
    """No such thing, or another merchant's: the answer is the same."""

    status = 404
    code = "not_found"
    title = "Not found"


class RequestTimeoutError(Problem):
    """The request came too slowly: all of it must be here within 10 seconds, and a second more for each 64 KiB.

    Nothing was done. The connection is closed: send the request again on a new one.
    """

    status = 408
    code = "request_timeout"
    title = "The request took too long to arrive"

    def __init__(self) -> None:
        super().__init__("The request came too slowly to be read: send it again.")


class ConflictError(Problem):
    """The object's state does not allow it."""

    status = 409
    code = "conflict"
    title = "The object's state does not allow this"


class InFlightError(Problem):
    """The first request with this idempotency key has not been answered yet."""

    status = 409
    code = "idempotency_key_in_flight"
    title = "The same request is still being worked on"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "A request with this idempotency key has not been answered yet: try again.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class WrongRegionError(Problem):
    """A key or an id of another region."""

    status = 421
    code = "wrong_region"
    title = "Another region holds this"

    def __init__(self, here: str, there: str, base_url: str | None) -> None:
        where = f": send the request to {base_url}" if base_url else ""
        super().__init__(
            f"This is region {here}, and what you name lives in region {there}{where}.",
            members={"region": there, "base_url": base_url},
        )


class InvalidFieldsError(Problem):
    """Readable, and wrong: `errors` names each field."""

    status = 422
    code = "invalid_fields"
    title = "Some fields are not valid"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        named = "; ".join(f"{error.pointer or '/'}: {error.detail}" for error in errors)
        super().__init__(named, errors=errors)


class InvalidTermsError(InvalidFieldsError):
    """Each field is well formed, and together they cannot be: `errors` names those that disagree."""

    code = "invalid_terms"
    title = "Some fields do not go together"


class IdempotencyKeyReusedError(Problem):
    """The idempotency key was used for a different request."""

    status = 422
    code = "idempotency_key_reused"
    title = "The idempotency key belongs to a different request"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used with another method, path or body: use a new key.")


class MethodNotAllowedError(Problem):
    """There is something at this address, but not for this method; the header Allow names those that there are."""

    status = 405
    code = "method_not_allowed"
    title = "Method Not Allowed"


class TooLargeError(Problem):
    """The body has more bytes than this route reads."""

    status = 413
    code = "request_entity_too_large"
    title = "Request Entity Too Large"


class UnsupportedMediaTypeError(Problem):
    """The body is of a kind that this route does not read."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported Media Type"


class RateLimitedError(Problem):
    """Too many requests with this key or from this address: `RateLimit` says how many are left, `Retry-After` when."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many requests at once: try again in {retry_after_seconds} s, and see the RateLimit headers.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class UnavailableProblem(Problem):
    """Our database or a gateway does not answer; nothing was written."""

    status = 503
    code = "unavailable"
    title = "Not available right now"

    def __init__(self, detail: str = "The service cannot do this right now: try again.") -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class DeadlineExceededProblem(Problem):
    """The request took longer than it may. All of it was rolled back: the same request may be sent again.

    What a gateway was asked for before that stays bound to the request's idempotency key.
    """

    status = 503
    code = "deadline_exceeded"
    title = "This took too long"

    def __init__(self) -> None:
        super().__init__(
            "The request took longer than it may and was rolled back: send it again, with the same idempotency key.",
            headers={"Retry-After": "2"},
        )


class HttpProblem(Problem):
    """What the web framework refuses (404, 405, 413, 415, …), in our form."""

    def __init__(self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.status = status
        self.code = title.lower().replace(" ", "_").replace("'", "")
        self.title = title
