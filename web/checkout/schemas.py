from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from web.checkout.domain import is_answer, is_country, is_email, is_name, is_phone, is_token
from web.links.methods import CARD

ADDRESS = ("line1", "postal_code", "city", "country")


@dataclass(frozen=True, slots=True)
class PayForm:
    """What the checkout page submits. It holds personal data: it is never logged, nor shown by repr."""

    csrf: str = field(repr=False)
    email: str = field(repr=False)
    name: str = field(repr=False)
    payment_token: str = field(repr=False)
    gateway: str  # whose card fields the page showed
    method: str
    is_saved: bool  # the payer agrees to be charged again
    phone: str = field(repr=False)
    address: Mapping[str, str] = field(repr=False)
    answers: Mapping[str, str] = field(repr=False)  # by the key of the custom field
    terms: Mapping[str, Any] = field(repr=False)  # the link's

    @classmethod
    def read(cls, form: Mapping[str, str], terms: Mapping[str, Any]) -> "PayForm":
        """Read the fields that the link's terms ask for; a missing one is empty."""
        asked = terms.get("collect", ["name"])
        method = form.get("method", "").strip() or CARD

        def text(name: str) -> str:
            return " ".join(form.get(name, "").split())

        return cls(
            csrf=form.get("csrf", ""),
            email=form.get("email", "").strip(),
            name=text("name") if "name" in asked else "",
            payment_token=form.get("payment_token", "").strip() if method == CARD else "",
            gateway=form.get("gateway", "").strip(),
            method=method,
            is_saved=form.get("save" if method == CARD else f"save_{method}") == "yes",
            phone=text("phone") if "phone" in asked else "",
            address={part: text(part) for part in ADDRESS} if "address" in asked else {},
            answers={each["key"]: text(f"field_{each['key']}") for each in terms.get("custom_fields") or ()},
            terms=terms,
        )

    def faults(self) -> dict[str, str]:
        """The wrong fields, each with the key of the text that says what to do."""
        asked = self.terms.get("collect", ["name"])
        checks = {
            "email": (is_email(self.email), "fix_email"),
            "name": ("name" not in asked or is_name(self.name), "fix_name"),
            "phone": ("phone" not in asked or is_phone(self.phone), "fix_phone"),
            "payment_token": (is_token(self.payment_token), "fix_token"),
        }
        for part, value in self.address.items():
            is_right = is_country(value) if part == "country" else is_name(value)
            checks[part] = (is_right, "fix_country" if part == "country" else "fix_address")
        for asked_for in self.terms.get("custom_fields") or ():
            checks[f"field_{asked_for['key']}"] = (is_answer(asked_for, self.answers[asked_for["key"]]), "fix_answer")
        return {name: text for name, (is_right, text) in checks.items() if not is_right}

    def personal(self) -> dict[str, Any]:
        """What the payer told us, to be sealed: texts by name."""
        found: dict[str, Any] = {"email": self.email, "name": self.name}
        if self.phone:
            found["phone"] = self.phone
        if self.address:
            found["address"] = dict(self.address)
        answers = {key: value for key, value in self.answers.items() if value}
        return {**found, "custom_fields": answers} if answers else found
