"""A period's link: one that is paid once, whoever pays it, in the place of the last period's."""

from dataclasses import replace
from datetime import timedelta

from web.db.scope import Scope
from web.links import service as links
from web.links.models import Link
from web.links.schemas import CreateLink
from web.renewals import events, repository
from web.renewals.domain import PeriodStatus
from web.renewals.models import Period, Renewal


def link_of(scope: Scope, renewal: Renewal, period: Period) -> tuple[Link, Period]:
    """The link that a locked period is paid with, made when it is first needed."""
    if period.link_id is not None:
        return links.get(scope, period.link_id, is_locked=True), period
    wanted = CreateLink(
        amount_minor=period.amount_minor,
        currency=renewal.currency,
        reference=renewal.reference,
        description=renewal.description,
        metadata={"renewal_id": renewal.id, "renewal_period": str(period.number)},
    )
    made = replace(links.build(scope, wanted), regenerated_from=repository.last_link(scope, renewal.id, period.number))
    links.insert(scope, made)
    return made, repository.move(scope, period, period.status, link_id=made.id)


def present(scope: Scope, renewal: Renewal, period: Period, reason: str) -> Period:
    """Tell the merchant to send the payer the period's link, which ends in so many days. The period is locked.

    Where the merchant has ended the link, the period is not to be paid any more.
    """
    link, held = link_of(scope, renewal, period)
    if link.status == "deactivated":
        return repository.move(scope, held, PeriodStatus.CANCELLED, finished_at=scope.now)
    if link.status == "completed":  # its payment is about to say so of the period
        return held
    expires_at = scope.now + timedelta(days=renewal.link_days)
    links.end_at(scope, link.id, expires_at)
    told = repository.move(scope, held, PeriodStatus.LINK, link_reason=reason, link_expires_at=expires_at)
    events.link_ready(scope, renewal, told, reason, expires_at)
    return told
