"""The time that credentials go by."""

from datetime import datetime

from bivelio_server.kit.context import Context


def true_now(context: Context) -> datetime:
    """The time by which requests are admitted: the true one, also where a sandbox's developer has moved its clock."""
    return context.services.clock.outside()
