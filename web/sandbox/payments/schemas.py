"""What the merchant may send."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.payments.domain import METHODS, CaptureMode, MethodName, ThreeDs, problem_with_amount
from web.sandbox.payments.service import Order

Reference = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Initiator = Literal["payer", "merchant"]


class PaymentRequest(BaseModel):
    """Body of POST /v1/payments."""

    model_config = ConfigDict(extra="forbid", str_max_length=2048)

    reference: Reference
    amount_minor: StrictInt
    currency: str
    method: MethodName = "card"
    capture: CaptureMode = "automatic"
    payment_token: str | None = None
    saved_method: str | None = None
    save_for: Reference | None = None
    initiator: Initiator = "payer"
    return_url: str | None = None
    three_ds: ThreeDs = "auto"

    def order(self) -> Order:
        """The checked request. Raises InvalidFieldError naming the first wrong field."""
        require_amount(self.amount_minor, self.currency)
        self._check_method()
        if self.return_url is None:
            may_do_without = self.payment_token is not None and self.three_ds == "none"
            if not may_do_without and self.initiator != "merchant":
                raise InvalidFieldError("/return_url", "Give the URL that the payer comes back to after an action.")
        elif not _is_web_url(self.return_url):
            raise InvalidFieldError("/return_url", "Give an absolute http or https URL.")
        return Order(
            self.reference,
            self.amount_minor,
            self.currency,
            self.payment_token,
            self.return_url,
            self.three_ds,
            method=self.method,
            capture_mode=self.capture,
            saved_method=self.saved_method,
            save_for=self.save_for,
            is_payer_present=self.initiator == "payer",
        )

    def _check_method(self) -> None:
        method = METHODS[self.method]
        if method.currencies and self.currency not in method.currencies:
            takes = ", ".join(sorted(method.currencies))
            raise InvalidFieldError(
                "/currency", f"The method {self.method} takes {takes} only.", "currency_unsupported"
            )
        if self.capture == "manual" and not method.can_be_manual:
            raise InvalidFieldError("/capture", f"The method {self.method} is always captured at once.")
        can_be_saved = self.method == "card" or method.is_mandate
        if self.method != "card" and self.payment_token:
            raise InvalidFieldError("/method", "Tokens are cards: give the method card.")
        if not can_be_saved and (self.saved_method or self.save_for):
            raise InvalidFieldError("/method", f"The method {self.method} cannot be saved.")
        if self.payment_token and self.saved_method:
            raise InvalidFieldError("/saved_method", "Give a payment token or a saved method, not both.")
        if self.initiator == "merchant" and not self.saved_method:
            raise InvalidFieldError("/initiator", "Without its payer only a saved method can be charged.")


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
