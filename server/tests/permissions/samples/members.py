"""members.*"""

from typing import Any, Final
from uuid import uuid4

from tests.permissions.sample import Sample, Samples, Scene, fixed


# A viewer, whom `members:admin` may handle too: other roles give rights that such a key lacks.
async def _member(scene: Scene) -> dict[str, Any]:
    return {"user_id": str(scene.organization.member("viewer"))}


async def _update(scene: Scene) -> dict[str, Any]:
    return {**await _member(scene), "role": "viewer"}


async def _invite(_scene: Scene) -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@example.com", "role": "viewer"}


async def _invitation(scene: Scene) -> dict[str, Any]:
    made = await scene.organization.live.call("/v1/members/invite", await _invite(scene))
    return {"invitation_id": made["invitation_id"]}


SAMPLES: Final[Samples] = {
    "members.list": fixed({}),
    "members.update": Sample(_update),
    "members.remove": Sample(_member),
    "members.invite": Sample(_invite),
    "members.list_invitations": fixed({}),
    "members.revoke_invitation": Sample(_invitation),
}
