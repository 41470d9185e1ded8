"""What a transaction changes, as its session sees it: the matter of the audit log.

Every mapped row counts. A column declared with `info=SECRET` is masked, as bytes always are; one with
`info=DERIVED` says nothing of its own and is left out. A class with `__audited__ = False` keeps out of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import LargeBinary, event, inspect
from sqlalchemy.orm import InstanceState, LoaderCallableStatus, Session

MASK: Final = "***"
_TENANT: Final = ("org_id", "environment")


@dataclass(slots=True)
class Change:
    """`before` and `after` hold the columns that changed; one of them is None when the row is new or gone."""

    resource_type: str
    resource_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class RecordingSession(Session):
    """A session that remembers what it has flushed, one change a row, until somebody takes it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._changes: dict[tuple[str, str], Change] = {}

    def note(self, change: Change) -> None:
        """A later change of the same row adds to the earlier one."""
        key = change.resource_type, change.resource_id
        earlier = self._changes.get(key)
        if earlier is None:
            self._changes[key] = change
            return
        if earlier.before is not None and change.before is not None:
            earlier.before = {**change.before, **earlier.before}
        earlier.after = None if change.after is None else {**(earlier.after or {}), **change.after}

    def take_changes(self) -> list[Change]:
        changes, self._changes = list(self._changes.values()), {}
        return changes


@event.listens_for(RecordingSession, "before_flush")
def _note_rows(session: RecordingSession, *_: object) -> None:
    for row in session.new:
        _note(session, row, _added)
    for row in session.dirty:
        _note(session, row, _changed)
    for row in session.deleted:
        _note(session, row, _removed)


_Values: TypeAlias = dict[str, Any] | None
_What: TypeAlias = Callable[[InstanceState[Any], Mapping[str, str]], tuple[_Values, _Values]]


def _note(session: RecordingSession, row: Any, what: _What) -> None:
    if not getattr(row, "__audited__", True):
        return
    model = type(row)
    columns = _known.get(model) or _known.setdefault(model, _columns_of(model))
    state: InstanceState[Any] = inspect(row)
    before, after = what(state, columns.policies)
    if not before and not after:
        return
    session.note(
        Change(
            columns.table,
            str(state.dict[columns.identifier]),
            _shown(before, columns.policies),
            _shown(after, columns.policies),
        )
    )


def _added(state: InstanceState[Any], names: Mapping[str, str]) -> tuple[_Values, _Values]:
    return None, {name: state.dict.get(name) for name in names}


def _removed(state: InstanceState[Any], names: Mapping[str, str]) -> tuple[_Values, _Values]:
    return {name: state.dict.get(name) for name in names}, None


def _changed(state: InstanceState[Any], names: Mapping[str, str]) -> tuple[_Values, _Values]:
    before = {
        name: None if isinstance(value, LoaderCallableStatus) else value
        for name, value in state.committed_state.items()
        if name in names
    }
    types = {name: state.mapper.column_attrs[name].columns[0].type for name in before}
    changed = {
        name: value for name, value in before.items() if not types[name].compare_values(value, state.dict.get(name))
    }
    return changed, {name: state.dict.get(name) for name in changed}


def _shown(values: dict[str, Any] | None, policies: Mapping[str, str]) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: MASK if policies[name] == "secret" and value is not None else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Of one mapped class: its table, the attribute that names a row, and how each column is shown."""

    table: str
    identifier: str
    policies: Mapping[str, str]


_known: Final[dict[type[Any], _Columns]] = {}


def _columns_of(model: type[Any]) -> _Columns:
    mapper = inspect(model)
    policies = {}
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        policy = column.info.get("audit", "secret" if isinstance(column.type, LargeBinary) else "shown")
        if policy != "derived" and attribute.key not in _TENANT:
            policies[attribute.key] = policy
    # Keys begin with the tenant, but a mapper may list them in another order.
    own = [column for column in mapper.primary_key if column.name not in _TENANT] or [*mapper.primary_key]
    return _Columns(mapper.local_table.name, mapper.get_property_by_column(own[-1]).key, policies)
