"""contacts.create."""

import pytest

from tests.world import Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/contacts/create"


async def test_keeps_the_phone_as_given_and_normalised(acme: Organization) -> None:
    contact = await acme.live.call(PATH, {"name": "Maria Garcia", "phone": "600 111 222"})

    assert contact["phone"] == "600 111 222"
    assert contact["phone_e164"] == "+34600111222"
