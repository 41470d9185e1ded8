"""The samples of every feature, one file each."""

from typing import Final

from tests.permissions.sample import Samples
from tests.permissions.samples import contacts, keys, webhooks, workflows

SAMPLES: Final[Samples] = {**contacts.SAMPLES, **workflows.SAMPLES, **webhooks.SAMPLES, **keys.SAMPLES}
