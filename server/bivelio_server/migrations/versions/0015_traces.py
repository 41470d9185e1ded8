"""What the operator looks at: the trace of an event, and the figures of the queues."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table events add column traceparent text")
    _queue_figures()
    _webhook_figures()


def _queue_figures() -> None:
    op.execute("""
        drop function durable.queue_depth();

        -- Runs of all tenants by task. `p_now` is the worker's clock: a sleeper is due when either clock says so.
        create function durable.queue_figures(p_now timestamptz)
        returns table (task text, due bigint, sleeping bigint, running bigint, oldest_due timestamptz)
        language sql stable security definer set search_path = pg_catalog, pg_temp as $$
            select t.task_name,
                   count(*) filter (where r.state <> 'running' and r.available_at <= n.due),
                   count(*) filter (where r.state <> 'running' and r.available_at > n.due),
                   count(*) filter (where r.state = 'running'),
                   min(r.available_at) filter (where r.state <> 'running' and r.available_at <= n.due)
              from (select greatest(absurd.current_time(), p_now) as due) n
             cross join absurd.r_work r
              join absurd.t_work t on t.task_id = r.task_id
             where r.state in ('pending', 'sleeping', 'running')
             group by t.task_name
        $$;

        create function durable.lane_figures() returns table (kind text, held bigint)
        language sql stable security definer set search_path = pg_catalog, pg_temp as $$
            select l.kind, count(*) from durable.lanes l where l.leased_until > clock_timestamp() group by l.kind
        $$;
    """)
    op.execute(definer_function("durable.queue_figures(timestamptz)"))
    op.execute(definer_function("durable.lane_figures()"))


def _webhook_figures() -> None:
    # Reads the index of what is due or soon will be, not the deliveries.
    op.execute("""
        create function webhook_figures(p_now timestamptz)
        returns table (waiting bigint, due bigint, oldest_due timestamptz)
        language sql stable security definer set search_path = public, pg_temp as $$
            select count(*) filter (where d.next_attempt_at > p_now), count(*) filter (where d.next_attempt_at <= p_now),
                   min(d.next_attempt_at) filter (where d.next_attempt_at <= p_now)
              from webhook_deliveries d where d.next_attempt_at is not null
        $$;

        create function webhook_endpoint_figures() returns table (status text, endpoints bigint)
        language sql stable security definer set search_path = public, pg_temp as $$
            select e.status, count(*) from webhook_endpoints e where e.deleted_at is null group by e.status
        $$;
    """)
    op.execute(definer_function("webhook_figures(timestamptz)"))
    op.execute(definer_function("webhook_endpoint_figures()"))
