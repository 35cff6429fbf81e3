from collections.abc import Mapping
from dataclasses import dataclass, field

from web.checkout.domain import is_email, is_name, is_token


@dataclass(frozen=True, slots=True)
class PayForm:
    """What the checkout page submits. It holds personal data: it is never logged, nor shown by repr."""

    csrf: str = field(repr=False)
    email: str = field(repr=False)
    name: str = field(repr=False)
    payment_token: str = field(repr=False)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "PayForm":
        """Read the fields; a missing one is empty."""
        return cls(
            csrf=form.get("csrf", ""),
            email=form.get("email", "").strip(),
            name=" ".join(form.get("name", "").split()),
            payment_token=form.get("payment_token", "").strip(),
        )

    def faults(self) -> dict[str, str]:
        """The wrong fields, each with the key of the text that says what to do."""
        checks = {
            "email": (is_email(self.email), "fix_email"),
            "name": (is_name(self.name), "fix_name"),
            "payment_token": (is_token(self.payment_token), "fix_token"),
        }
        return {name: text for name, (is_right, text) in checks.items() if not is_right}
