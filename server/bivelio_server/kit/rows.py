"""The kinds of row, and how to query them: from a Caller."""

from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Select, Text, func, select
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.db import Base
from bivelio_server.kit.errors import NotFound, StaleVersion
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.models import PageInput

#: How long a soft delete can be undone.
RESTORABLE: Final = timedelta(days=30)

#: Of a column that says nothing of its own: the audit log leaves it out.
DERIVED: Final = {"audit": "derived"}
#: Of a column whose value nobody may read back.
SECRET: Final = {"audit": "secret"}

Moment = DateTime(timezone=True)
TextArray = ARRAY(Text)


class _Exact:
    """For Python `1`, `True` and `1.10` may equal what JSON tells apart; a change between them is a change."""

    def compare_values(self, x: Any, y: Any) -> bool:
        return json.dumps(x) == json.dumps(y)


class _ExactObject(_Exact, JSONB):
    pass


class _WrittenObject(_Exact, JSON):
    pass


Object = _ExactObject(none_as_null=True)
#: Its members keep the order in which they were written.
Written = _WrittenObject(none_as_null=True)


class BusinessRow(Base):
    """A row of one organisation and environment; sandbox ones are purged."""

    __abstract__ = True

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)


class OrganisationRow(Base):
    """A row of one organisation, whatever the environment; never purged."""

    __abstract__ = True

    org_id: Mapped[UUID] = mapped_column(primary_key=True)


BusinessT = TypeVar("BusinessT", bound=BusinessRow)
OrganisationT = TypeVar("OrganisationT", bound=OrganisationRow)
RowT = TypeVar("RowT", bound=Base)


def business(model: type[BusinessT], caller: Caller) -> Select[BusinessT]:
    """All rows of `model` that are the caller's."""
    return select(model).where(model.org_id == caller.org_id, model.environment == caller.environment.value)


def organisation(model: type[OrganisationT], caller: Caller) -> Select[OrganisationT]:
    """All rows of `model` of the caller's organisation."""
    return select(model).where(model.org_id == caller.org_id)


def identity(caller: Caller) -> dict[str, Any]:
    """The columns that make a new row the caller's."""
    return {"org_id": caller.org_id, "environment": caller.environment.value}


async def only(session: AsyncSession, query: Select[RowT], row_id: str, *, field: str = "id") -> RowT:
    """The row with `row_id` among those of `query`. Raises NotFound, naming the input `field`."""
    if not is_well_formed(row_id):
        raise NotFound(field)
    model = query.column_descriptions[0]["entity"]
    row: RowT | None = await session.scalar(query.where(model.id == row_id))
    if row is None:
        raise NotFound(field)
    return row


class _Versioned(Protocol):
    version: int


def require_version(row: _Versioned, if_version: int | None) -> None:
    """Raises StaleVersion when the row is at another version than the caller has seen."""
    if if_version not in (None, row.version):
        raise StaleVersion


async def page_of(session: AsyncSession, query: Select[RowT], data: PageInput) -> tuple[list[RowT], int]:
    """One page of `query` and how many rows it has in all."""
    rows = await session.scalars(query.limit(data.per_page).offset(data.offset))
    return list(rows), await count_of(session, query)


async def count_of(session: AsyncSession, query: Select[Any]) -> int:
    """How many rows `query` has in all."""
    return await session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
