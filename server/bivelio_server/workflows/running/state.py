"""What a run knows of itself: its instance, its definition, what its steps have done so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from bivelio_server.accounts.roles import rights_of
from bivelio_server.durable import Run, TooNew
from bivelio_server.kit.caller import Caller, Environment, intersect_rights
from bivelio_server.kit.db import Transaction
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.expressions import Conventions
from bivelio_server.workflows.running.large import Large, LargeValues
from bivelio_server.workflows.versions import known_definition, parse_definition

_TIMES: Final = ("started_at", "finished_at", "retry_at")
_NOBODY: Final = UUID(int=0)
_HOLDING_STEPS: Final = frozenset({"if", "switch", "for_each", "while"})

_LOAD: Final = """
    select i.org_id, i.environment, i.id, i.workflow_id, w.name as workflow_name, w.concurrency, i.version,
           i.input, i.input_ref, i.depth, i.started_at, i.total_steps, i.finished_at, i.paused_at, i.retried_at,
           i.parent_id, i.parent_path, v.activated_by, v.activated_rights, v.api_version,
           o.timezone, o.locale, o.currency,
           p.scopes, p.user_id, p.role, p.plan, p.key_type,
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'path', s.path, 'step_id', s.step_id, 'position', s.position, 'uses', s.uses,
                       'status', s.status, 'attempts', s.attempts, 'output', s.output, 'output_ref', s.output_ref,
                       'error', s.error, 'started_at', s.started_at,
                       'finished_at', s.finished_at, 'retry_at', s.retry_at,
                       'input', case when s.status in ('running', 'waiting') then s.input end,
                       'input_ref', case when s.status in ('running', 'waiting') then s.input_ref end,
                       'prepared', case when s.status in ('running', 'waiting') then s.prepared end,
                       'prepared_ref', case when s.status in ('running', 'waiting') then s.prepared_ref end)), '[]')
              from workflow_steps s
             where s.org_id = i.org_id and s.environment = i.environment and s.instance_id = i.id
               and s.superseded_in = 0) as steps,
           case when i.rounds > 0 then
               (select jsonb_object_agg(done.path, done.times)
                  from (select s.path, count(*) as times from workflow_steps s
                         where s.org_id = i.org_id and s.environment = i.environment and s.instance_id = i.id
                           and s.superseded_in > 0 and s.status in ('completed', 'failed') group by s.path) done)
           end as done_before
      from workflow_instances i
      join workflows w on w.org_id = i.org_id and w.environment = i.environment and w.id = i.workflow_id
      join workflow_versions v on v.org_id = i.org_id and v.environment = i.environment
                              and v.workflow_id = i.workflow_id and v.version = i.version
      join organizations o on o.id = i.org_id
      left join lateral present_rights(v.activated_by, %(now)s) p on true
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = %(id)s
"""
_DEFINITION: Final = """
    select definition from workflow_versions
     where org_id = %(org_id)s and environment = %(environment)s and workflow_id = %(workflow_id)s
       and version = %(version)s
"""
_PRESENT_RIGHTS: Final = """
    select i.paused_at is not null as is_paused, p.scopes, p.user_id, p.role, p.plan, p.key_type
      from workflow_instances i left join lateral present_rights(%(actor)s, %(now)s) p on true
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = %(id)s
"""


@dataclass(slots=True)
class StepState:
    """One step as it is recorded; times are UTC. `path` tells the passes through a loop apart (`each[3].mail`).

    The output may be a `Large`; of a step that was over when the run was loaded, the input is not known.
    """

    path: str
    step_id: str
    position: int
    uses: str
    started_at: datetime
    status: str = "running"
    attempts: int = 0
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    prepared: Any = None
    finished_at: datetime | None = None
    #: Of a failed attempt that is to be repeated, no sooner than then.
    retry_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is settled how it ended. A cancelled one would be taken anew."""
        return self.status in ("completed", "failed")

    @property
    def is_open(self) -> bool:
        return self.status in ("running", "waiting")

    @property
    def holds_steps(self) -> bool:
        """Whether it was prepared which steps within it are taken: a retry that begins with one of them needs that."""
        return self.uses in _HOLDING_STEPS

    @property
    def prefix(self) -> str:
        """What its path has before its id."""
        return self.path.removesuffix(self.step_id)

    def as_seen(self) -> dict[str, Any]:
        """What expressions see of it."""
        return {"output": self.output, "status": self.status, "error": self.error}

    @classmethod
    async def stored(cls, row: dict[str, Any], large: LargeValues) -> "StepState":
        """Raises StorageFailed."""
        times = {name: row[name] and datetime.fromisoformat(row[name]) for name in _TIMES}
        files = {name: row.pop(f"{name}_ref") for name in ("input", "output")}
        large.count_inline(row["output"])
        values = {name: large.known(file) for name, file in files.items() if file is not None}
        if (file := row.pop("prepared_ref")) is not None:
            values["prepared"] = await large.prepared_before(row["path"], file)
        return cls(**{**row, **times, **values})

    def as_row(self) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in self.__slots__}
        times = {name: row[name] and row[name].isoformat() for name in _TIMES}
        return {**row, **times}


@dataclass
class RunState:
    """A loaded run."""

    id: str
    org_id: UUID
    environment: Environment
    workflow_id: str
    workflow_name: str
    concurrency: str
    definition: Definition
    input: dict[str, Any] | Large
    depth: int
    started_at: datetime
    finished_at: datetime | None
    total_steps: int
    is_paused: bool
    conventions: Conventions
    activated_by: str | None
    activated_rights: frozenset[str]
    #: Of the API that the definition was written for.
    api_version: str
    caller: Caller
    large: LargeValues
    #: When it was last retried: what may take some time has it anew since.
    retried_at: datetime | None = None
    parent_id: str | None = None
    parent_path: str | None = None
    #: How often a step was done, to its end, before retries replaced it; by path.
    done_before: dict[str, int] = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    current_step: int = 1

    def __post_init__(self) -> None:
        self._seen: dict[str, dict[str, dict[str, Any]]] = {}
        self._last_position = max((step.position for step in self.steps.values()), default=0)
        for step in self.steps.values():
            self.note(step)

    def begin(self, path: str, step_id: str, uses: str, now: datetime) -> StepState:
        """The step's state, begun now unless it was begun before."""
        known = self.steps.get(path)
        if known is None or known.status == "cancelled":
            if known is None:
                self._last_position += 1
            position = self._last_position if known is None else known.position
            self.steps[path] = StepState(path, step_id, position, uses, now)
        return self.steps[path]

    def since(self, began: datetime) -> datetime:
        """When the time of what began then is counted from."""
        return began if self.retried_at is None else max(began, self.retried_at)

    def call_key(self, path: str) -> str:
        """The idempotency key of a step's call to the outside: another one when a retry has it done again."""
        times = self.done_before.get(path, 0)
        return f"{self.id}:{path}:{times}" if times else f"{self.id}:{path}"

    def note(self, step: StepState) -> None:
        """Let expressions see the step once it is over."""
        if step.is_over:
            self._seen.setdefault(step.prefix, {})[step.step_id] = step.as_seen()

    def seen_from(self, levels: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What expressions see under `steps`: what is over at these levels, an inner one hiding an outer."""
        first, *inner = [self._seen.get(level, {}) for level in levels]
        return {**first, **{name: seen for level in inner for name, seen in level.items()}} if inner else first


async def load(session: Transaction, run: Run) -> RunState | None:
    """The run's state, or None when its instance is gone (sandbox rows are purged)."""
    key = {
        "org_id": run.org_id,
        "environment": run.environment.value,
        "id": run.params["instance_id"],
        "now": run.services.clock.outside(),
    }
    rows = await session.run(_LOAD, key)
    if not rows:
        return None
    [row] = rows
    rights = frozenset(row.activated_rights)
    large = LargeValues(run.services, run.org_id, run.environment.value)
    return RunState(
        id=row.id,
        org_id=row.org_id,
        environment=run.environment,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        concurrency=row.concurrency,
        definition=await _definition(session, row),
        input=row.input if row.input_ref is None else large.known(row.input_ref),
        depth=row.depth,
        started_at=row.started_at,
        finished_at=row.finished_at,
        total_steps=row.total_steps,
        is_paused=row.paused_at is not None,
        retried_at=row.retried_at,
        parent_id=row.parent_id,
        parent_path=row.parent_path,
        done_before=row.done_before or {},
        conventions=Conventions(row.timezone, row.locale, row.currency),
        activated_by=row.activated_by,
        activated_rights=rights,
        api_version=row.api_version,
        caller=_caller(run, row.workflow_id, row.activated_by, rights, row),
        large=large,
        steps={item["path"]: await StepState.stored(item, large) for item in row.steps},
    )


async def present_caller(session: Transaction, run: Run, state: RunState) -> tuple[Caller, bool]:
    """The workflow as a caller with the rights that it has at this moment, and whether the run is paused now."""
    key = {"org_id": state.org_id, "environment": state.environment.value, "id": state.id}
    now = run.services.clock.outside()
    rows = await session.run(_PRESENT_RIGHTS, {**key, "actor": state.activated_by, "now": now})
    row = rows[0] if rows else None
    caller = _caller(run, state.workflow_id, state.activated_by, state.activated_rights, row)
    return caller, row is not None and row.is_paused


def _caller(run: Run, workflow_id: str, activated_by: str | None, frozen: frozenset[str], present: Any) -> Caller:
    """Rights frozen at activation, within what the activator may do now; none when the activator is gone."""
    known = present is not None and present.role is not None
    now = rights_of(present.role, tuple(present.scopes), present.key_type) if known else frozenset[str]()
    return Caller(
        org_id=run.org_id,
        environment=run.environment,
        actor=f"workflow:{workflow_id}",
        user_id=present.user_id if known else _NOBODY,
        rights=intersect_rights(frozen, now),
        plan=present.plan if known else "starter",
        on_behalf_of=activated_by,
    )


async def _definition(session: Transaction, row: Any) -> Definition:
    key = (row.org_id, row.environment, row.workflow_id, row.version)
    known = known_definition(*key)
    if known is not None:
        return known
    names = ("org_id", "environment", "workflow_id", "version")
    [stored] = await session.run(_DEFINITION, dict(zip(names, key, strict=True)))
    try:
        return parse_definition(*key, stored.definition)
    except ValidationError as error:
        raise TooNew from error
