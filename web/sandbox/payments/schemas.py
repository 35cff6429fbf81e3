"""What the merchant may send."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.payments.domain import ThreeDs, problem_with_amount
from web.sandbox.payments.service import Order

Reference = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class PaymentRequest(BaseModel):
    """Body of POST /v1/payments."""

    model_config = ConfigDict(extra="forbid", str_max_length=2048)

    reference: Reference
    amount_minor: StrictInt
    currency: str
    payment_token: str | None = None
    return_url: str | None = None
    three_ds: ThreeDs = "auto"

    def order(self) -> Order:
        """The checked request. Raises InvalidFieldError naming the first wrong field."""
        require_amount(self.amount_minor, self.currency)
        if self.return_url is None:
            if self.payment_token is None or self.three_ds != "none":
                raise InvalidFieldError("/return_url", "Give the URL that the payer comes back to after an action.")
        elif not _is_web_url(self.return_url):
            raise InvalidFieldError("/return_url", "Give an absolute http or https URL.")
        return Order(
            self.reference, self.amount_minor, self.currency, self.payment_token, self.return_url, self.three_ds
        )


def require_amount(amount_minor: int, currency: str) -> None:
    """Raises InvalidFieldError unless this is an amount that can be charged."""
    problem = problem_with_amount(amount_minor, currency)
    if problem is not None:
        raise InvalidFieldError(*problem)


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:
        return False
