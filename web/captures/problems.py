from regions.money import Money
from web.http.problems import FieldError, Problem


class CaptureExceedsError(Problem):
    """More than what is still set aside."""

    status = 422
    code = "capture_exceeds_capturable"
    title = "The capture is more than what is set aside"

    def __init__(self, capturable_minor: int, currency: str) -> None:
        super().__init__(
            f"At most {Money(capturable_minor, currency)} can be captured.",
            errors=[FieldError("/amount_minor", f"must be at most {capturable_minor}")],
            members={"capturable_minor": capturable_minor, "currency": currency},
        )


class CaptureUnsupportedError(Problem):
    """The gateway that holds the money cannot capture it in this way."""

    status = 422
    code = "capture_unsupported"
    title = "The gateway cannot capture in this way"
