from collections.abc import Collection

from flask import Blueprint, Response, abort, request

from regions.errors import MeridianError
from regions.ids import parse_id
from web.console.merchant import repository
from web.console.merchant.domain import funnel_steps
from web.console.mode import chosen_livemode
from web.console.reading import published, region_rows
from web.console.session import signed_in
from web.console.view import page

blueprint = Blueprint("merchant", __name__)

RECENT_ROWS = 8


@blueprint.get("/overview")
def overview() -> Response:
    """Links, money, the funnel and the newest payments."""
    account = signed_in()
    with region_rows(account) as connection:
        livemode = chosen_livemode(connection)
        links = repository.links_by_status(connection, livemode=livemode)
        money = repository.money(connection, livemode=livemode)
        recent = repository.payments(
            connection, livemode=livemode, status=None, link=None, after=None, rows=RECENT_ROWS
        )
    with published() as build:
        steps, channels = [], []
        if build is not None:
            steps = funnel_steps(repository.funnel(build, livemode=livemode, merchant=account.merchant_id))
            channels = repository.funnel_by_channel(build, livemode=livemode, merchant=account.merchant_id)
    return page(
        "overview", livemode=livemode, links=links, money=money, recent=recent, build=build, steps=steps,
        channels=channels,
    )  # fmt: skip


@blueprint.get("/links")
def links() -> Response:
    """Links with their status."""
    status, after = _one_of("status", repository.LINK_STATUSES), _id("after")
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
        found = repository.links(connection, livemode=livemode, status=status, after=after)
    rows = found[: repository.PAGE_ROWS]
    return page(
        "links", livemode=livemode, rows=rows, status=status, after=after, statuses=repository.LINK_STATUSES,
        next_id=rows[-1]["id"] if len(found) > len(rows) else None,
    )  # fmt: skip


@blueprint.get("/payments")
def payments() -> Response:
    """Payments, filtered by status and link."""
    status, link, after = _one_of("status", repository.PAYMENT_STATUSES), _id("link"), _id("after")
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
        found = repository.payments(
            connection, livemode=livemode, status=status, link=link, after=after, rows=repository.PAGE_ROWS + 1
        )
    rows = found[: repository.PAGE_ROWS]
    return page(
        "payments", livemode=livemode, rows=rows, status=status, link=link, after=after,
        statuses=repository.PAYMENT_STATUSES, next_id=rows[-1]["id"] if len(found) > len(rows) else None,
    )  # fmt: skip


@blueprint.get("/payments/<payment_id>")
def payment(payment_id: str) -> Response:
    """One payment, its attempts, and why each went to its gateway."""
    with region_rows(signed_in()) as connection:
        found = repository.payment(connection, payment_id)
    if found is None:
        abort(404)
    return page("payment", payment=found[0], attempts=found[1])


def _one_of(name: str, choices: Collection[str]) -> str | None:
    """A query parameter that is one of a few words; empty means no filter, anything else is no page."""
    value = request.args.get(name) or None
    if value is not None and value not in choices:
        abort(404)
    return value


def _id(name: str) -> str | None:
    """A query parameter that is an object's id."""
    value = request.args.get(name) or None
    if value is not None:
        try:
            parse_id(value)
        except MeridianError:
            abort(404)
    return value
