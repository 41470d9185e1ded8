"""The public API in tests: keys of people, boxes, and a search that is scripted: it knows who may see what, but every
box holds the same few passages of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2

from bivelio_server.boxes.access import get_box
from bivelio_server.boxes.public.key_format import generate_box_key
from bivelio_server.boxes.retrieval.searching import Found, FullDocument, Question
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.ids import new_id
from tests.world import Organization

BASE = "/api/public/v1"
LIMITS = ("hits", "remaining-key", "remaining-user", "reset-key", "reset-user")


@dataclass(frozen=True)
class Scripted:
    """A search without an index: what a box holds is said here. `failing` is raised where a model would be asked."""

    passages: dict[str, list[str]] = field(default_factory=dict)
    failing: list[Exception] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)

    async def prepare(self, context: Context, box_id: str, needed: BoxRole) -> str:
        return (await get_box(context, box_id, needed)).id

    async def embed(self, services: Services, caller: Caller, prepared: str, text: str) -> str:
        if self.failing:
            raise self.failing.pop()
        return text

    async def search(self, context: Context, prepared: str, vector: str, question: Question) -> list[Found]:
        await get_box(context, prepared, BoxRole.admin)
        self.asked.append(question)
        passages = self.passages.get(prepared, [])[: question.top_k]
        return [
            Found(f"file_{prepared[4:]}", "Contrato.pdf", text, 1.0 - number / 10, 1, 2, 0, len(text))
            for number, text in enumerate(passages)
        ]

    async def full_documents(
        self, context: Context, box_id: str, needed: BoxRole, sources: Sequence[str]
    ) -> list[FullDocument]:
        await get_box(context, box_id, needed)
        own = f"file_{box_id[4:]}"
        return [FullDocument(own, "Contrato.pdf", self.passages[box_id])] if own in sources else []


@dataclass(frozen=True)
class Asker:
    """Somebody who calls the public API with a key (or none)."""

    http: httpx2.AsyncClient
    key: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    async def check(self, **headers: str) -> httpx2.Response:
        return await self.http.get(f"{BASE}/check", headers=self.headers | headers)

    async def ask(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.http.post(f"{BASE}/{path}", json=body, headers=self.headers | headers)

    async def retrieve(self, box_id: str, query: str = "¿Cuándo vence?", **more: Any) -> httpx2.Response:
        return await self.ask(f"boxes/{box_id}/retrieve-documents", {"query": query, **more})

    async def read(self, box_id: str, *sources: str) -> httpx2.Response:
        return await self.ask(f"boxes/{box_id}/retrieve-full-documents", {"sources": list(sources)})


def make_key(organization: Organization, user_id: UUID | None = None, environment: str = "live", **columns: Any) -> str:
    """A key of a member, the owner by default; `columns` as its row has them."""
    new = generate_box_key()
    row = {
        "org_id": organization.id, "environment": environment, "id": new_id("bkey"), "name": "test",
        "prefix": new.prefix, "digest": new.digest, "user_id": user_id or organization.owner_id,
        "created_at": datetime.now(UTC), **columns,
    }  # fmt: skip
    _insert(organization, "box_keys", row)
    return new.key


def asker(organization: Organization, user_id: UUID | None = None, environment: str = "live", **columns: Any) -> Asker:
    return Asker(organization.world.http, make_key(organization, user_id, environment, **columns))


def make_box(organization: Organization, environment: str = "live", **members: UUID) -> str:
    """A box and its members by role; the organisation's owner owns it where nobody is named."""
    box_id, now = new_id("box"), datetime.now(UTC)
    of_box = {"org_id": organization.id, "environment": environment}
    _insert(organization, "boxes", of_box | {
        "id": box_id, "name": "Box", "created_by": "user:test", "version": 1, "created_at": now, "updated_at": now,
    })  # fmt: skip
    for role, user_id in (members or {"owner": organization.owner_id}).items():
        member = {"box_id": box_id, "user_id": user_id, "role": role, "created_at": now}
        _insert(organization, "box_members", of_box | member)
    return box_id


def give_units(organization: Organization, units: int) -> None:
    """From now on the organisation has so many a month."""
    organization.world.database.execute(
        "update organizations set monthly_units = %s where id = %s", (units, organization.id)
    )


def limits_of(reply: httpx2.Response) -> dict[str, int]:
    """The five headers; one that is not there fails the test."""
    return {name: int(reply.headers[f"x-ratelimit-{name}"]) for name in LIMITS}


def error_of(reply: httpx2.Response) -> dict[str, Any]:
    body = reply.json()
    assert body["success"] is False
    assert set(body["error"]) == {"code", "category", "summary", "cause"}
    error: dict[str, Any] = body["error"]
    return error


def outcome(reply: httpx2.Response) -> tuple[int, str]:
    return reply.status_code, error_of(reply)["code"]


def _insert(organization: Organization, table: str, row: dict[str, Any]) -> None:
    places = ", ".join("%s" for _ in row)
    organization.world.database.execute(
        f"insert into {table} ({', '.join(row)}) values ({places})", tuple(row.values())
    )
