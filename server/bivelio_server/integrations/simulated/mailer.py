"""Mail that goes nowhere. What each address at `simulator.bivelio.test` does:

- `bounce@…`: refused for good
- `timeout@…`: failed for now, every time
- `flaky@…`: failed for now the first time, then sent
- `slow@…`: sent, after five seconds

Every other address is sent to at once.
"""

import asyncio
from typing import Final

from bivelio_server.integrations.simulated.queries import keep
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.kit.providers import SIMULATOR_DOMAIN
from bivelio_server.kit.text import Text
from bivelio_server.mail.port import Message

CHANNEL: Final = "email"
SLOW_SECONDS: Final = 5.0


class SimulatedMailer:
    """`Mailer` for one sandbox."""

    def __init__(self, services: Services, caller: Caller, *, slow_seconds: float = SLOW_SECONDS) -> None:
        self._services = services
        self._caller = caller
        self._slow_seconds = slow_seconds

    async def send(self, message: Message, idempotency_key: str) -> None:
        behaviour, _, domain = message.to.lower().partition("@")
        if domain != SIMULATOR_DOMAIN:
            behaviour = ""
        if behaviour == "slow":
            await asyncio.sleep(self._slow_seconds)
        outcomes = _OUTCOMES.get(behaviour, ("sent",))
        async with self._services.database.transaction(self._caller) as session:
            outcome = await keep(
                session, self._caller, channel=CHANNEL, recipient=message.to, name=message.name,
                subject=message.subject, body=message.text, key=idempotency_key, outcomes=outcomes,
                now=self._services.clock.now(),
            )  # fmt: skip
        if outcome == "refused":
            raise IntegrationRefused(_REFUSED, details={"reply": "550 5.1.1 No such user here (simulated)"})
        if outcome == "failed":
            raise IntegrationFailed(_AWAY, details={"reply": "421 4.4.2 Try again later (simulated)"})


#: What comes of the first attempt, of the second…; the last one stays.
_OUTCOMES: Final = {"bounce": ("refused",), "timeout": ("failed",), "flaky": ("failed", "sent")}
_REFUSED: Final = Text("El simulador ha rechazado el mensaje.", "The simulator has refused the message.")
_AWAY: Final = Text("El simulador no acepta el mensaje ahora.", "The simulator does not take the message now.")
