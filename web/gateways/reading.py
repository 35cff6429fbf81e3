"""Reading gateways' documents: parsed once at the border, and what cannot be read proves nothing."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from regions.money import Money, UnknownCurrencyError
from web.gateways.errors import GatewayDocumentError

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class Document(BaseModel):
    """A gateway's document. Unknown members are ignored: a gateway may add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def parse(model: type[DocumentT], raw: bytes) -> DocumentT:
    """Read a document, or raise GatewayDocumentError naming the first thing wrong with it (never its values)."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _unreadable(error) from None


def parse_object(model: type[DocumentT], value: object) -> DocumentT:
    """The same for JSON that is parsed already."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _unreadable(error) from None


def money(amount_minor: int, currency: str) -> Money:
    """An amount whose currency must exist."""
    try:
        return Money(amount_minor, currency)
    except UnknownCurrencyError as error:
        raise GatewayDocumentError("The gateway names a currency that does not exist.") from error


def _unreadable(error: ValidationError) -> GatewayDocumentError:
    first = error.errors(include_input=False, include_url=False)[0]
    place = "/".join(str(part) for part in first["loc"]) or "the document"
    return GatewayDocumentError(f"The gateway sent something unreadable: {place}: {first['type']}.")
