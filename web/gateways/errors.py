"""What may go wrong at the border to a gateway, apart from the answers that `Gateway` defines."""

from regions.errors import MeridianError


class WebhookRejectedError(MeridianError):
    """A webhook whose signature is missing, malformed, wrong or too old."""


class GatewayDocumentError(MeridianError):
    """A gateway's document that we cannot read: nothing is concluded from it."""


class GatewayUnavailableError(MeridianError):
    """A gateway that does not answer, or not sensibly: ask again later."""


class GatewayRefusedError(MeridianError):
    """A gateway that has understood and says no for good."""


class UnsupportedError(MeridianError):
    """Something was asked of a gateway that its capabilities rule out: a mistake of ours."""
