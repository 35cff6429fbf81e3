"""What a payer is told instead of the page that was asked for. The keys name texts in web/checkout/texts."""


class PayerNotice(Exception):  # noqa: N818 - most of these are no errors to the payer
    """A page that says why this cannot be paid here and now. `back_to` is a link's code to return to."""

    status = 410
    heading = "link_ended"

    def __init__(self, *, merchant: str = "", locale: str | None = None, back_to: str | None = None) -> None:
        super().__init__(self.heading)
        self.merchant = merchant
        self.locale = locale
        self.back_to = back_to


class LinkEnded(PayerNotice):
    """Deactivated, or its time has passed."""


class LinkPaid(PayerNotice):
    """A link for one payment that has been paid."""

    heading = "link_paid"


class LinkBusy(PayerNotice):
    """A link for one payment, and somebody else's is under way."""

    status = 409
    heading = "link_busy"


class SessionEnded(PayerNotice):
    """The visit has timed out; the link may still be open."""

    heading = "session_ended"


class FormStale(PayerNotice):
    """The form was not made for this session."""

    status = 403
    heading = "form_stale"
