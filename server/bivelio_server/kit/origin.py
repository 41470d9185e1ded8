"""Where a call came in."""

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    http = "http"
    sdk = "sdk"
    workflow = "workflow"
    agent = "agent"
    mcp = "mcp"


@dataclass(frozen=True, slots=True)
class Origin:
    """The door, and for a request its id, the address it came from and the version of the API that it speaks."""

    door: Door
    request_id: str | None = None
    address: str | None = None
    api_version: str | None = None
