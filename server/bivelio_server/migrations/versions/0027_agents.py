"""Agents, their executions and what they ask to be approved."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# As in 0014: plans that do not depend on how full the tables were when they were made.
_PRUNING = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    _agents()
    _executions()
    _approvals()
    _upkeep()


def _agents() -> None:
    # An agent that is built in has a row only where an organisation has changed it.
    op.execute("""
        create table agents (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            name text not null,
            description text,
            category text not null,
            status text not null check (status in ('active', 'paused')),
            model text,
            instructions text not null,
            output_schema json,
            labels json not null,
            tools json not null,
            limits json not null,
            version int not null,
            created_by text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            deleted_at timestamptz,
            primary key (org_id, environment, id)
        );
        create index agents_newest on agents (org_id, environment, created_at desc, id desc);
        create index agents_deleted on agents (deleted_at) where deleted_at is not null;

        -- What each agent was asked on each day of its organisation's time zone; latencies are of completed executions.
        create table agent_days (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            agent_id text not null,
            day date not null,
            invocations int not null,
            completed int not null,
            latency_ms bigint not null,
            created_at timestamptz not null,
            primary key (org_id, environment, agent_id, day)
        );
        create index agent_days_oldest on agent_days (created_at);
    """)
    op.execute(business_table("agents"))
    op.execute(business_table("agent_days"))


def _executions() -> None:
    op.execute("""
        create table agent_executions (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            agent_id text not null,
            agent_name text not null,
            agent_version int not null,
            status text not null check (status in ('running', 'waiting_approval', 'completed', 'failed')),
            input jsonb not null,
            output jsonb,
            error jsonb,
            trace jsonb not null,
            engine text,
            model text,
            usage jsonb not null,
            tokens_used int not null,
            credits_consumed int not null,
            duration_ms int not null,
            invoked_by text not null,
            on_behalf_of text,
            door text not null,
            request_id text,
            cause text,
            depth int not null,
            started_at timestamptz not null,
            completed_at timestamptz,
            primary key (org_id, environment, id)
        );
        create index agent_executions_newest on agent_executions (org_id, environment, started_at desc, id desc);
        create index agent_executions_of_agent
            on agent_executions (org_id, environment, agent_id, started_at desc, id desc);
        create index agent_executions_running on agent_executions (started_at) where status = 'running';
        comment on table agent_executions is 'purged-by:started_at';
        comment on column agent_executions.input is 'personal';
        comment on column agent_executions.output is 'personal';
        comment on column agent_executions.error is 'personal';
        comment on column agent_executions.trace is 'personal';
    """)
    op.execute(business_table("agent_executions"))


def _approvals() -> None:
    op.execute("""
        create table agent_approvals (
            org_id uuid not null,
            environment text not null,
            id text not null,
            execution_id text not null,
            agent_id text not null,
            agent_name text not null,
            operation text not null,
            arguments jsonb not null,
            status text not null check (status in ('pending', 'approved', 'rejected')),
            decided_by text,
            decided_at timestamptz,
            comment text,
            result jsonb,
            error jsonb,
            done_at timestamptz,
            created_at timestamptz not null,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, execution_id) references agent_executions (org_id, environment, id)
                on delete cascade,
            check ((status = 'pending') = (decided_at is null))
        );
        create index agent_approvals_newest on agent_approvals (org_id, environment, created_at desc, id desc);
        create index agent_approvals_pending on agent_approvals (org_id, environment, created_at desc, id desc)
            where status = 'pending';
        create index agent_approvals_of_execution on agent_approvals (org_id, environment, execution_id);
        comment on column agent_approvals.arguments is 'personal';
        comment on column agent_approvals.comment is 'personal';
        comment on column agent_approvals.result is 'personal';
        comment on column agent_approvals.error is 'personal';
    """)
    op.execute(business_table("agent_approvals"))


def _upkeep() -> None:
    op.execute(f"""
        create function prune_agent_executions(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_ids text[];
        begin
            select array_agg(old.id) into v_ids from (
                select e.id from agent_executions e
                 where e.org_id = p_org and e.environment in ('live', 'sandbox') and e.started_at < p_before
                   and e.status <> 'running'
                 limit p_limit for update skip locked) old;
            delete from agent_executions e
             where e.org_id = p_org and e.environment in ('live', 'sandbox') and e.id = any (v_ids);
            return coalesce(cardinality(v_ids), 0);
        end $$;

        create function prune_agent_days(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            delete from agent_days where ctid in (
                select d.ctid from agent_days d where d.created_at < p_before limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;

        create function prune_deleted_agents(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            delete from agents where ctid in (
                select a.ctid from agents a where a.deleted_at < p_before limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;

        -- Ends as failed what began before `p_before` and nobody is at any more: its process has died.
        create function end_lost_agent_executions(p_before timestamptz, p_now timestamptz, p_error jsonb) returns int
        {_PRUNING} as $$
        declare
            v_ended int;
        begin
            update agent_executions e
               set status = 'failed', error = p_error, completed_at = greatest(p_now, e.started_at)
             where e.status = 'running' and e.started_at < p_before;
            get diagnostics v_ended = row_count;
            return v_ended;
        end $$;
    """)
    op.execute(definer_function("prune_agent_executions(uuid, timestamptz, int)"))
    op.execute(definer_function("prune_agent_days(timestamptz, int)"))
    op.execute(definer_function("prune_deleted_agents(timestamptz, int)"))
    op.execute(definer_function("end_lost_agent_executions(timestamptz, timestamptz, jsonb)"))
