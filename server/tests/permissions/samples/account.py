"""account.*: whoever asks is arranged for, since nobody acts on another's account."""

from typing import Any, Final

import pyotp

from tests.permissions.sample import Sample, Samples, Scene, fixed
from tests.world import PASSWORD, PASSWORD_HASH, Client, Person


async def _password(scene: Scene) -> dict[str, Any]:
    _as_new(scene.asking)
    return {"password": PASSWORD}


async def _new_password(scene: Scene) -> dict[str, Any]:
    _as_new(scene.asking)
    return {"current_password": PASSWORD, "new_password": "battery staple correct horse"}


async def _first_code(scene: Scene) -> dict[str, Any]:
    _as_new(scene.asking)
    if not isinstance(scene.asking, Person):
        return {"code": "123456"}
    begun = await scene.asking.call("/v1/account/begin_second_factor", {"password": PASSWORD})
    return {"code": pyotp.TOTP(begun["secret"]).at(scene.asking.world.clock.now())}


async def _recovery_code(scene: Scene) -> dict[str, Any]:
    first = await _first_code(scene)
    if not isinstance(scene.asking, Person):
        return {"password": PASSWORD, **first}
    codes = (await scene.asking.call("/v1/account/confirm_second_factor", first))["recovery_codes"]
    return {"password": PASSWORD, "code": codes[0]}


async def _session(scene: Scene) -> dict[str, Any]:
    user_id = scene.asking.user_id if isinstance(scene.asking, Person) else scene.organization.owner_id
    return {"session_id": str(scene.organization.signed_in(user_id).session_id)}


def _as_new(asking: Client | None) -> None:
    """Back to the usual password, and no second factor."""
    if isinstance(asking, Person):
        asking.world.database.execute(
            "update users set password_hash = %s, second_factor_since = null where id = %s",
            (PASSWORD_HASH, asking.user_id),
        )


SAMPLES: Final[Samples] = {
    "account.get": fixed({}),
    "account.change_password": Sample(_new_password),
    "account.begin_second_factor": Sample(_password),
    "account.confirm_second_factor": Sample(_first_code),
    "account.disable_second_factor": Sample(_recovery_code),
    "account.new_recovery_codes": Sample(_recovery_code),
    "account.list_sessions": fixed({}),
    "account.revoke_session": Sample(_session),
    "account.revoke_other_sessions": fixed({}),
    "account.sign_out": fixed({}),
    "account.leave_organization": Sample(fixed({}).arrange, refused_to_owner=True),
}
