"""What may go wrong at the border to a gateway, apart from the answers that `Gateway` defines."""

from regions.errors import MeridianError


class WebhookRejectedError(MeridianError):
    """A webhook whose signature is missing, malformed, wrong or too old."""


class GatewayDocumentError(MeridianError):
    """A gateway's document that we cannot read: nothing is concluded from it."""
