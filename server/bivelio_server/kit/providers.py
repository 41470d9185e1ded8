"""Outside services behind ports: which adapter a caller gets, the real one or its simulated sibling.

A port is a protocol and its name (`MAIL`). For each there is one `Provider` in `app.py`: how to make the real adapter,
and how to make the simulated one, which sends nothing. The sandbox always gets the simulated one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from bivelio_server.kit.caller import Caller, Environment

if TYPE_CHECKING:
    from bivelio_server.kit.context import Services

AdapterT = TypeVar("AdapterT")
MakeAdapter: TypeAlias = Callable[["Services", Caller], AdapterT]

#: The mail domain whose addresses mean something to the simulated providers; see each of them.
SIMULATOR_DOMAIN: Final = "simulator.bivelio.test"


@dataclass(frozen=True, slots=True)
class Port(Generic[AdapterT]):
    """Something that outside services do for us."""

    name: str


@dataclass(frozen=True, slots=True)
class Provider(Generic[AdapterT]):
    """`real` gives None where nothing is set up."""

    port: Port[AdapterT]
    real: MakeAdapter[AdapterT | None]
    simulated: MakeAdapter[AdapterT]


class Providers:
    """One provider for each port."""

    def __init__(self, *providers: Provider[Any]) -> None:
        self._providers = {provider.port.name: provider for provider in providers}

    def with_(self, *providers: Provider[Any]) -> "Providers":
        """The same, but these for their ports."""
        return Providers(*self._providers.values(), *providers)

    def of(self, port: Port[AdapterT], services: "Services", caller: Caller) -> AdapterT | None:
        """What does it for this caller; None when a live caller has nothing set up."""
        provider: Provider[AdapterT] = self._providers[port.name]
        if caller.environment is Environment.sandbox:
            return provider.simulated(services, caller)
        return provider.real(services, caller)
