"""What the job operations take and give."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]


class JobStarted(Output):
    """What every operation answers that starts long work; follow it with `jobs.get`."""

    job_id: str


class JobReference(Input):
    id: Id


class JobList(PageInput):
    status: JobStatus | None = None
    operation: str | None = Field(None, max_length=100, examples=["contacts.import"])


class JobProblem(Output):
    """What was wrong with a row, numbered as a spreadsheet shows it; `row` is null for what ended the whole job."""

    row: int | None
    field: str | None
    code: str
    message: str


class JobSummary(Output):
    """`progress` goes from 0 to 1. `counts` says what was done; what depends on the operation is in `result`."""

    id: str
    operation: str
    status: JobStatus
    progress: float
    counts: dict[str, int]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Job(JobSummary):
    """`errors` holds the first thousand problems; `counts.errors` is how many there were."""

    errors: list[JobProblem]
    result: dict[str, Any] | None


class JobPage(Output):
    jobs: list[JobSummary]
    pagination: Pagination
