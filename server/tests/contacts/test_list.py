"""contacts.list."""

from typing import Any

import pytest

from bivelio_server.kit.clock import MovableClock
from tests.contacts.arranging import contact, names
from tests.world import Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/contacts"


@pytest.fixture
async def crm(acme: Organization) -> Organization:
    """A company with one of its people, and a stranger."""
    company = await contact(
        acme.live, "Gestoría Peña S.L.", type="company", email="contacto@gestoria.es", tags=["cliente", "activo"]
    )
    await contact(
        acme.live, "María García", email="maria@ejemplo.com", phone="+34 600 111 222", company_id=company["id"],
        tags=["cliente"],
    )  # fmt: skip
    await contact(acme.live, "Juan 100%_real", email="juan@otra.com", phone="912 345 678")
    return acme


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("maria", ["María García"]),
        ("GARCÍA maría", ["María García"]),
        ("María", ["María García"]),
        ("EJEMPLO.com", ["María García"]),
        ("600111222", ["María García"]),
        ("600 111 222", ["María García"]),
        ("+34600111222", ["María García"]),
        ("111 222", ["María García"]),
        ("gestoria pena", ["María García", "Gestoría Peña S.L."]),
        ("maria gestoria", ["María García"]),
        ("100%", ["Juan 100%_real"]),
        ("%", ["Juan 100%_real"]),
        ("_", ["Juan 100%_real"]),
        ("m_ría", []),
        ("mar%a", []),
        ("\\", []),
        ("'; drop table contacts; --", []),
        ("nadie", []),
        ("", ["Juan 100%_real", "María García", "Gestoría Peña S.L."]),
    ],
)
async def test_searches_name_email_phone_and_company(crm: Organization, search: str, found: list[str]) -> None:
    assert await names(crm.live, search=search) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"type": "company"}, ["Gestoría Peña S.L."]),
        ({"type": "person"}, ["Juan 100%_real", "María García"]),
        ({"tags": ["cliente"]}, ["María García", "Gestoría Peña S.L."]),
        ({"tags": ["cliente", "activo"]}, ["Gestoría Peña S.L."]),
        ({"tags": ["CLIENTE"]}, []),
        ({"tags": ["cliente"], "type": "person", "search": "maria"}, ["María García"]),
        ({"deleted": True}, []),
    ],
)
async def test_filters(crm: Organization, filters: dict[str, Any], found: list[str]) -> None:
    assert await names(crm.live, **filters) == found


@pytest.mark.parametrize("company_id", ["ct_missing", "no es un id"])
async def test_a_company_that_is_not_there_is_not_found(crm: Organization, company_id: str) -> None:
    reply = await crm.live.post(PATH, {"company_id": company_id})

    assert reply.status_code == 404
    assert reply.json()["error"]["details"] == {"field": "company_id"}


async def test_lists_the_people_of_a_company(crm: Organization) -> None:
    [company] = (await crm.live.call(PATH, {"type": "company"}))["contacts"]

    assert await names(crm.live, company_id=company["id"]) == ["María García"]


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("name", ["Ana", "Berta", "carla"]),
        ("-name", ["carla", "Berta", "Ana"]),
        ("created_at", ["Berta", "carla", "Ana"]),
        ("-created_at", ["Ana", "carla", "Berta"]),
        ("updated_at", ["carla", "Ana", "Berta"]),
        ("-updated_at", ["Berta", "Ana", "carla"]),
    ],
)
async def test_sorts(acme: Organization, sort: str, found: list[str]) -> None:
    berta = await contact(acme.live, "Berta")
    for name in ("carla", "Ana"):
        await contact(acme.live, name)
    await acme.live.call("/v1/contacts/update", {"id": berta["id"], "tags": ["x"]})

    assert await names(acme.live, sort=sort) == found


@pytest.mark.parametrize("sort", ["email", "name desc", "name; drop table contacts", "", "custom_fields"])
async def test_sorts_by_allowed_columns_only(acme: Organization, sort: str) -> None:
    reply = await acme.live.post(PATH, {"sort": sort})

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == "sort"


@pytest.mark.parametrize("search", [None, "contacto"])
async def test_pages(acme: Organization, search: str | None) -> None:
    for number in range(5):
        await contact(acme.live, f"Contacto {number}")

    pages = [await acme.live.call(PATH, {"search": search, "page": page, "per_page": 2}) for page in (1, 2, 3, 4)]

    assert [[found["name"][-1] for found in page["contacts"]] for page in pages] == [["4", "3"], ["2", "1"], ["0"], []]
    assert [page["pagination"] for page in pages] == [
        {"page": page, "per_page": 2, "total": 5, "total_pages": 3} for page in (1, 2, 3, 4)
    ]


async def test_an_empty_list_has_one_page(acme: Organization) -> None:
    assert await acme.live.call(PATH) == {
        "contacts": [],
        "pagination": {"page": 1, "per_page": 20, "total": 0, "total_pages": 1},
    }


@pytest.mark.parametrize("data", [{"page": 0}, {"page": -1}, {"per_page": 0}, {"per_page": 101}, {"page": 10**30}])
async def test_refuses_impossible_pages(acme: Organization, data: dict[str, Any]) -> None:
    assert (await acme.live.post(PATH, data)).status_code == 400


async def test_a_listed_contact_is_what_get_gives(crm: Organization) -> None:
    listed = (await crm.live.call(PATH, {"search": "maria"}))["contacts"][0]

    assert listed == await crm.live.call("/v1/contacts/get", {"id": listed["id"]})


async def test_shows_the_deleted_while_they_can_be_restored(crm: Organization, clock: MovableClock) -> None:
    [maria] = (await crm.live.call(PATH, {"search": "maria"}))["contacts"]
    await crm.live.call("/v1/contacts/delete", {"id": maria["id"]})

    assert await names(crm.live, search="maria") == []
    assert await names(crm.live, deleted=True) == ["María García"]
    clock.advance(days=31)
    assert await names(crm.live, deleted=True) == []


async def test_each_environment_has_its_own(crm: Organization) -> None:
    await contact(crm.sandbox, "Prueba")

    assert await names(crm.sandbox) == ["Prueba"]
    assert "Prueba" not in await names(crm.live)
