"""The samples of every feature, one file each."""

from typing import Final

from tests.permissions.sample import Samples
from tests.permissions.samples import (
    audit,
    contacts,
    keys,
    notices,
    sandbox,
    usage,
    webhooks,
    workflows,
)

SAMPLES: Final[Samples] = {
    **audit.SAMPLES,
    **contacts.SAMPLES,
    **keys.SAMPLES,
    **notices.SAMPLES,
    **usage.SAMPLES,
    **sandbox.SAMPLES,
    **webhooks.SAMPLES,
    **workflows.SAMPLES,
}
