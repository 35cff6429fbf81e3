from datetime import date
from typing import Annotated, Any

from pydantic import Field

from regions.events import timestamp
from web.closes.models import Close
from web.http.bodies import Body
from web.recon.schemas import Reason, Reference


class CloseBooks(Body):
    """POST /internal/v1/ledger/closes."""

    through: Annotated[date, Field(strict=False)]
    actor: Reference
    reason: Reason


def close_json(close: Close) -> dict[str, Any]:
    """A close as the internal API shows it."""
    return {
        "object": "ledger_close",
        "through": close.through.isoformat(),
        "closed_by": close.closed_by,
        "reason": close.reason,
        "closed_at": timestamp(close.closed_at),
    }
