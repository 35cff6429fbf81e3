from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.bulk.models import Job
from web.http.bodies import Body, Moment
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.schemas import CAMPAIGN_PATTERN, CreateLink

Kind = Literal["create_links", "expire_campaign", "deactivate_campaign"]


class LinkRow(CreateLink):
    """One row of a file: a link to make."""

    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[!-+\--~]{1,200}\z")] | None = doc(
        "Makes the row safe to send again within 24 hours: it makes one link.", "row-17", default=None
    )


class ChangeCampaign(Body):
    """Which campaign's links to end."""

    campaign: Annotated[str, StringConstraints(pattern=CAMPAIGN_PATTERN)] = doc("The campaign's code.", "spring-2026")


class ExpireCampaign(ChangeCampaign):
    """Which campaign's links end, and when."""

    expires_at: Moment | None = doc(
        "When they end (RFC 3339); at once if left out.", "2030-01-31T12:00:00Z", default=None
    )


class ListJobs(Paged):
    """Which jobs to list, the newest first."""


class JobObject(Shown):
    """A bulk job and how far it is."""

    id: str = doc("The job's id.", "bulk_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    object: Literal["bulk_job"] = doc("What this is.", "bulk_job")
    kind: Kind = doc("What it does.", "create_links")
    campaign: str | None = doc("The campaign whose links it ends.", None)
    expires_at: datetime | None = doc("When those links end (RFC 3339, UTC).", None)
    status: Literal["queued", "running", "done"] = doc("Where it stands.", "running")
    row_count: int = doc("How many rows it has.", 1000)
    succeeded_count: int = doc("How many rows are done.", 400)
    failed_count: int = doc("How many rows were refused; the results say why.", 2)
    results_url: str = doc(
        "Where the results are, a line of JSON for each row that is done.",
        "https://eu.meridian.test/v1/bulk/jobs/bulk_eu_06p0wz3q4hk53g6qyt8nwc2mse/results",
    )
    livemode: bool = doc("True if its links take real money.", False)
    created_at: datetime = doc("When it was asked for (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    finished_at: datetime | None = doc("When it was done (RFC 3339, UTC).", "2026-03-14T09:27:03.589793Z")


class JobList(Shown):
    """A page of jobs."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[JobObject] = doc("The jobs, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def job_json(job: Job, api_base_url: str) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.id,
        "object": "bulk_job",
        "kind": job.kind,
        "campaign": job.campaign,
        "expires_at": None if job.expires_at is None else timestamp(job.expires_at),
        "status": job.status,
        "row_count": job.row_count,
        "succeeded_count": job.succeeded_count,
        "failed_count": job.failed_count,
        "results_url": f"{api_base_url}/v1/bulk/jobs/{job.id}/results",
        "livemode": job.livemode,
        "created_at": timestamp(job.created_at),
        "finished_at": None if job.finished_at is None else timestamp(job.finished_at),
    }
