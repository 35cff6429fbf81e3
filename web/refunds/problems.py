from regions.money import Money
from web.http.problems import FieldError, Problem


class RefundExceedsError(Problem):
    """More than what is left to refund."""

    status = 422
    code = "refund_exceeds_refundable"
    title = "The refund is more than what can be refunded"

    def __init__(self, refundable_minor: int, currency: str) -> None:
        left = Money(refundable_minor, currency)
        super().__init__(
            f"At most {left} can be refunded.",
            errors=[FieldError("/amount_minor", f"must be at most {refundable_minor}")],
            members={"refundable_minor": refundable_minor, "currency": currency},
        )
