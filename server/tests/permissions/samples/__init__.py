"""The samples of every feature, one file each."""

from typing import Final

from tests.permissions.sample import Samples
from tests.permissions.samples import (
    account,
    agents,
    audit,
    boxes,
    boxes_keys,
    contacts,
    documents,
    jobs,
    keys,
    members,
    notices,
    organization,
    sandbox,
    usage,
    webhooks,
    workflow_hooks,
    workflow_outputs,
    workflow_secrets,
    workflows,
)

SAMPLES: Final[Samples] = {
    **account.SAMPLES,
    **agents.SAMPLES,
    **audit.SAMPLES,
    **boxes_keys.SAMPLES,
    **boxes.SAMPLES,
    **contacts.SAMPLES,
    **documents.SAMPLES,
    **jobs.SAMPLES,
    **keys.SAMPLES,
    **members.SAMPLES,
    **notices.SAMPLES,
    **organization.SAMPLES,
    **usage.SAMPLES,
    **sandbox.SAMPLES,
    **webhooks.SAMPLES,
    **workflow_hooks.SAMPLES,
    **workflow_secrets.SAMPLES,
    **workflows.SAMPLES,
    **workflow_outputs.SAMPLES,
}
