"""What the tests of boxes share."""

import base64
from typing import Any

from tests.world import Client

Json = dict[str, Any]
MANUAL = "Manual de la caldera. La presión de trabajo es de 1,5 bar; por debajo de 1 bar, rellenar el circuito."


def content(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


async def a_box(client: Client, name: str = "Manuales", **fields: Any) -> str:
    """The id of a fresh box of the client's."""
    made = await client.call("/v1/boxes/create", {"name": name, **fields})
    return str(made["id"])


async def add(client: Client, box_id: str, text: str | bytes = MANUAL, filename: str = "manual.txt") -> Json:
    data = {"box_id": box_id, "filename": filename, "content_base64": content(text)}
    made: Json = await client.call("/v1/boxes/files/add", data)
    return made


async def files(client: Client, box_id: str, **asked: Any) -> list[Json]:
    """What is listed of the box's files."""
    found = await client.call("/v1/boxes/files/list", {"box_id": box_id, **asked})
    listed: list[Json] = found["files"]
    return listed


async def share(client: Client, box_id: str, email: str, role: str) -> Json:
    member: Json = await client.call("/v1/boxes/members/set", {"box_id": box_id, "email": email, "role": role})
    return member
