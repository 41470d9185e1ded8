"""Schedules, events that runs wait for, and the key that makes each trigger fire once."""

from alembic import op

from bivelio_server.migrations.online import index_online
from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Plans are kept per connection and may be made while the tables are empty, when reading them whole looks cheapest.
_FUNCTION = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    _what_started_runs()
    _what_runs_wait_for()
    _schedules()
    _mending()


def _what_started_runs() -> None:
    """`queued_at`: since when a run waits for its turn. Making an index commits, so what comes before it may come twice."""
    op.execute("""
        alter table workflow_instances
            add column if not exists trigger_type text not null default 'manual'
                check (trigger_type in ('manual', 'event', 'cron', 'webhook', 'workflow', 'retry')),
            add column if not exists trigger_key text,
            add column if not exists parent_id text,
            add column if not exists parent_path text,
            add column if not exists queued_at timestamptz;
        update workflow_instances set trigger_type = 'event', trigger_key = 'event:' || event_id
         where event_id is not null and trigger_key is null;
    """)
    index_online(
        "workflow_instances_queued",
        "workflow_instances (org_id, environment, workflow_id, queued_at, id)"
        " where queued_at is not null and finished_at is null",
    )
    op.execute("""
        create unique index workflow_instances_trigger on workflow_instances (org_id, environment, workflow_id, trigger_key)
            where trigger_key is not null;
        drop index workflow_instances_event;
        alter table workflows
            drop constraint workflows_concurrency_check,
            add constraint workflows_concurrency_check check (concurrency in ('many', 'one', 'queue'));
        alter table workflow_versions
            drop constraint workflow_versions_concurrency_check,
            add constraint workflow_versions_concurrency_check check (concurrency in ('many', 'one', 'queue'));
    """)


def _what_runs_wait_for() -> None:
    """Whether an event came since a run began is told by one clock, that of the database: those of servers differ."""
    op.execute("""
        alter table events add column if not exists recorded_at timestamptz;
        alter table events alter column recorded_at set default clock_timestamp();
        alter table workflow_instances add column if not exists begun_at timestamptz;
        alter table workflow_instances alter column begun_at set default clock_timestamp();
    """)
    index_online("events_by_name", "events (org_id, environment, event, recorded_at)")
    op.execute("""
        create table workflow_event_waits (
            org_id uuid not null,
            environment text not null,
            instance_id text not null,
            path text not null,
            step_id text not null,
            event text not null,
            condition text,
            known jsonb,
            match_field text,
            match_digest text,
            event_id text,
            created_at timestamptz not null,
            primary key (org_id, environment, instance_id, path),
            foreign key (org_id, environment, instance_id) references workflow_instances (org_id, environment, id)
                on delete cascade,
            check ((match_field is null) = (match_digest is null))
        );
        create index workflow_event_waits_open
            on workflow_event_waits (org_id, environment, event, match_field, match_digest, instance_id, path)
            where event_id is null;
        comment on column workflow_event_waits.known is 'personal';
    """)
    op.execute(business_table("workflow_event_waits"))


def _schedules() -> None:
    """One row for each active workflow with a schedule. `task_id` is the task of its next tick: no other one is heeded."""
    op.execute("""
        create table workflow_schedules (
            org_id uuid not null,
            environment text not null,
            workflow_id text not null,
            cron text not null,
            timezone text not null,
            follows_organization boolean not null,
            next_at timestamptz not null,
            task_id uuid not null,
            created_at timestamptz not null,
            primary key (org_id, environment, workflow_id),
            foreign key (org_id, environment, workflow_id) references workflows (org_id, environment, id)
                on delete cascade
        );
        create index workflows_on_schedule on workflows (org_id, environment, id)
            where trigger_type = 'cron' and status = 'active' and deleted_at is null;
    """)
    op.execute(business_table("workflow_schedules"))


def _mending() -> None:
    op.execute(f"""
        -- Active workflows whose schedule has no task that waits, whatever the reason.
        create function schedules_to_mend(p_limit int) returns table (org_id uuid, environment text, workflow_id text)
        {_FUNCTION} as $$
        begin
            return query
            select w.org_id, w.environment, w.id
              from workflows w
              left join workflow_schedules s
                on s.org_id = w.org_id and s.environment = w.environment and s.workflow_id = w.id
              left join absurd.t_work t on t.task_id = s.task_id
             where w.trigger_type = 'cron' and w.status = 'active' and w.deleted_at is null
               and (t.state is null or t.state in ('completed', 'failed', 'cancelled'))
             limit p_limit;
        end $$;

        -- What listens for workflows that are gone for good.
        create function prune_lost_subscriptions(p_before timestamptz, p_limit int) returns int {_FUNCTION} as $$
        declare
            v_removed int;
        begin
            delete from event_subscriptions where ctid in (
                select s.ctid from event_subscriptions s
                 where s.kind in ('workflow', 'workflow_wait') and s.created_at < p_before and not exists (
                    select from workflows w
                     where w.org_id = s.org_id and w.environment = s.environment and w.id = s.subscriber_id)
                 limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("schedules_to_mend(int)"))
    op.execute(definer_function("prune_lost_subscriptions(timestamptz, int)"))
