from flask import Blueprint, request

from web.bulk import repository, service
from web.bulk.models import Job
from web.bulk.schemas import ChangeCampaign, ExpireCampaign, JobList, JobObject, ListJobs, job_json
from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import field_error, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import UnsupportedMediaTypeError
from web.links.domain import expiry_fault
from web.wiring import wired

FILE_BYTES_MAX = 64 * 1024 * 1024

blueprint = Blueprint("bulk", __name__, url_prefix="/v1/bulk")


@blueprint.before_request
def _take_files() -> None:
    """A file of links may be larger than other bodies."""
    if request.endpoint == "bulk.create_links":
        request.max_content_length = FILE_BYTES_MAX


@blueprint.post("/links")
@operation(
    "Create many links",
    "Bulk",
    JobObject,
    scope="links:write",
    status=202,
    body_media={
        "application/x-ndjson": "JSON Lines: one object a line, as for creating a link, with an optional "
        "`idempotency_key`; up to 100,000 lines of 16 KiB, 64 MiB in all.",
        "text/csv": "CSV with a header: the plain fields of a link, `metadata.<key>`, `idempotency_key`.",
    },
)
@merchant_route
def create_links(scope: Scope) -> Answer:
    """Take a file of links as a job."""
    if request.mimetype not in service.READERS:
        raise UnsupportedMediaTypeError(f"Send the file as {' or '.join(service.READERS)}.")
    return _accepted(service.submit_file(scope, request.mimetype, request.get_data(cache=True)))


@blueprint.post("/campaigns/deactivate")
@operation("Deactivate a campaign's links", "Bulk", JobObject, scope="links:write", status=202, body=ChangeCampaign)
@merchant_route
def deactivate_campaign(scope: Scope) -> Answer:
    """End all open links of a campaign."""
    wanted = parse_body(request, ChangeCampaign)
    return _accepted(service.submit_campaign(scope, "deactivate_campaign", wanted.campaign))


@blueprint.post("/campaigns/expire")
@operation("Set the end of a campaign's links", "Bulk", JobObject, scope="links:write", status=202, body=ExpireCampaign)
@merchant_route
def expire_campaign(scope: Scope) -> Answer:
    """Let all open links of a campaign end by a moment."""
    wanted = parse_body(request, ExpireCampaign)
    fault = expiry_fault(wanted.expires_at, scope.now)
    if fault:
        raise field_error("expires_at", fault)
    return _accepted(service.submit_campaign(scope, "expire_campaign", wanted.campaign, wanted.expires_at))


@blueprint.get("/jobs")
@operation("List bulk jobs", "Bulk", JobList, scope="links:read", query=ListJobs)
@merchant_route
def list_jobs(scope: Scope) -> Answer:
    """The merchant's jobs, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListJobs))
    base = wired().settings.api_base_url
    return Answer(200, list_json([job_json(job, base) for job in found], has_more=has_more))


@blueprint.get("/jobs/<job_id>")
@operation("Retrieve a bulk job", "Bulk", JobObject, scope="links:read")
@merchant_route
def get_job(scope: Scope, job_id: str) -> Answer:
    """One job and how far it is."""
    return Answer(200, job_json(service.get(scope, job_id), wired().settings.api_base_url))


@blueprint.get("/jobs/<job_id>/results")
@operation(
    "Download a bulk job's results",
    "Bulk",
    None,
    scope="links:read",
    media={"application/x-ndjson": "A line of JSON for each row that is done: created, replayed or failed, and why."},
)
@merchant_route
def get_results(scope: Scope, job_id: str) -> Answer:
    """What has become of each row so far."""
    service.get(scope, job_id)
    return Answer(200, repository.results(scope, job_id), mimetype="application/x-ndjson")


def _accepted(job: Job) -> Answer:
    return Answer(202, job_json(job, wired().settings.api_base_url))
