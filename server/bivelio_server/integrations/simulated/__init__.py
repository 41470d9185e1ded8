"""Providers that send nothing and keep what they would have sent, for the sandbox.

Some addresses at `simulator.bivelio.test` fail, so that a developer can try how that looks: see each provider.
"""

from bivelio_server.integrations.simulated.mailer import SimulatedMailer
from bivelio_server.integrations.simulated.queries import list_messages

__all__ = ["SimulatedMailer", "list_messages"]
