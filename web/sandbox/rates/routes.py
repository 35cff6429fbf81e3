"""GET /v1/ecb/eurofxref-daily.csv: reference rates in the ECB's daily form, made up after the last real day."""

from datetime import UTC, date, datetime

from flask import Blueprint, Response, request

from regions.target_days import publication_moment
from web.sandbox.edge.problems import InvalidFieldError, ProblemError
from web.sandbox.rates.domain import FIRST_DAY, daily_file

SOURCE_HEADER = "Rates-Source"
SOURCE = "sandbox"

blueprint = Blueprint("rates", __name__, url_prefix="/v1/ecb")


@blueprint.get("/eurofxref-daily.csv")
def show_daily() -> Response:
    """The file of `?date=YYYY-MM-DD`; 404 without publication that day, and before its hour has come."""
    given = request.args.get("date", "")
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise InvalidFieldError("/date", f"{given!r} is no date: write YYYY-MM-DD.") from None
    text = daily_file(day)
    if text is None:
        detail = f"No rates are published on {day}: it is no business day of the ECB, or before {FIRST_DAY}."
        raise ProblemError(404, "not_published", detail)
    published_at = publication_moment(day)
    if datetime.now(UTC) < published_at:
        detail = f"The rates of {day} are published at {published_at:%Y-%m-%dT%H:%M:%SZ}."
        raise ProblemError(404, "not_published_yet", detail)
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.headers[SOURCE_HEADER] = SOURCE
    response.headers["Content-Disposition"] = 'attachment; filename="eurofxref-daily.csv"'
    return response
