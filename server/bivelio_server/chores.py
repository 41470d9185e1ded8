"""What is done now and then beside the work: each feature says what of its own is not kept for ever."""

from datetime import timedelta
from typing import Final

from bivelio_server.accounts.pruning import PRUNINGS as ACCOUNTS
from bivelio_server.agents.abandoned import CHORE as AGENT_EXECUTIONS
from bivelio_server.agents.pruning import PRUNINGS as AGENTS
from bivelio_server.audit.pruning import PRUNINGS as AUDIT
from bivelio_server.boxes.generations.following import CHORE as BOX_MODELS
from bivelio_server.boxes.generations.unused import CHORE as BOX_VECTORS
from bivelio_server.boxes.pruning import PRUNINGS as BOXES
from bivelio_server.contacts.pruning import PRUNINGS as CONTACTS
from bivelio_server.documents.pruning import PRUNINGS as DOCUMENTS
from bivelio_server.durable import Chore, pruning_chore
from bivelio_server.events.pruning import PRUNINGS as EVENTS
from bivelio_server.jobs.pruning import PRUNINGS as JOBS
from bivelio_server.kit.idempotency import PRUNINGS as IDEMPOTENCY
from bivelio_server.mail.pruning import PRUNINGS as MAIL
from bivelio_server.organization.pruning import PRUNINGS as ORGANIZATIONS
from bivelio_server.sandbox.purge import purge_all
from bivelio_server.storage import CHORES as STORAGE
from bivelio_server.usage.credits import refund_lapsed
from bivelio_server.usage.pruning import PRUNINGS as USAGE
from bivelio_server.webhooks.pruning import PRUNINGS as WEBHOOKS
from bivelio_server.workflows.control.reviving import revive_runs
from bivelio_server.workflows.pruning import PRUNINGS as WORKFLOWS
from bivelio_server.workflows.triggers.keeping import CHORE as TRIGGERS

PRUNINGS: Final = (
    *EVENTS, *WEBHOOKS, *WORKFLOWS, *CONTACTS, *DOCUMENTS, *BOXES, *AGENTS, *JOBS, *AUDIT, *USAGE, *ACCOUNTS, *MAIL,
    *IDEMPOTENCY, *ORGANIZATIONS,
)  # fmt: skip
CHORES: Final[tuple[Chore, ...]] = (
    pruning_chore(PRUNINGS),
    Chore("sandbox", timedelta(minutes=10), purge_all),
    Chore("credits", timedelta(minutes=1), refund_lapsed),
    Chore("runs", timedelta(minutes=5), revive_runs),
    TRIGGERS,
    AGENT_EXECUTIONS,
    BOX_MODELS,
    BOX_VECTORS,
    *STORAGE,
)
