"""Webhook endpoints, what is to be delivered to them, and every attempt at it."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _endpoints()
    _deliveries()
    _attempts()
    _due()


def _endpoints() -> None:
    op.execute("""
        create table webhook_endpoints (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            url text not null,
            events text[] not null,
            description text,
            status text not null check (status in ('active', 'paused', 'disabled')),
            signing_secret bytea not null,
            standard_secret bytea,
            disabled_at timestamptz,
            disabled_reason text,
            version int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            deleted_at timestamptz,
            primary key (org_id, environment, id),
            check ((status = 'disabled') = (disabled_at is not null and disabled_reason is not null))
        );
        create index webhook_endpoints_newest on webhook_endpoints (org_id, environment, created_at desc, id desc)
            where deleted_at is null;
    """)
    op.execute(business_table("webhook_endpoints"))


def _deliveries() -> None:
    # `next_attempt_at` is null when nothing is to be done: finished, a test, or its endpoint is not active. So the
    # index of what is due holds no more than what is due or soon will be. Rows change twice soon after they are written.
    op.execute("""
        create table webhook_deliveries (
            org_id uuid not null,
            environment text not null,
            id text not null,
            webhook_id text not null,
            event_id text,
            kind text not null check (kind in ('event', 'test')),
            status text not null check (status in ('pending', 'delivered', 'failed', 'cancelled')),
            attempts int not null,
            failures int not null,
            next_attempt_at timestamptz,
            created_at timestamptz not null,
            finished_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, webhook_id) references webhook_endpoints (org_id, environment, id),
            foreign key (org_id, environment, event_id) references events (org_id, environment, id),
            check ((kind = 'event') = (event_id is not null)),
            check ((status = 'pending') = (finished_at is null)),
            check (next_attempt_at is null or (kind = 'event' and status = 'pending'))
        ) with (fillfactor = 70);
        create index webhook_deliveries_due
            on webhook_deliveries (org_id, environment, webhook_id, failures, next_attempt_at)
            where next_attempt_at is not null;
        create index webhook_deliveries_finished
            on webhook_deliveries (org_id, environment, webhook_id, finished_at);
        create index webhook_deliveries_event on webhook_deliveries (org_id, environment, event_id);
    """)
    op.execute(business_table("webhook_deliveries"))


def _attempts() -> None:
    op.execute("""
        create table webhook_attempts (
            org_id uuid not null,
            environment text not null,
            delivery_id text not null,
            number int not null,
            webhook_id text not null,
            started_at timestamptz not null,
            outcome text check (outcome in ('delivered', 'failed', 'interrupted')),
            duration_ms int,
            response_status int,
            error text,
            primary key (org_id, environment, delivery_id, number),
            foreign key (org_id, environment, delivery_id) references webhook_deliveries (org_id, environment, id)
        );
        create index webhook_attempts_newest on webhook_attempts (org_id, environment, webhook_id, started_at);
    """)
    op.execute(business_table("webhook_attempts"))


def _due() -> None:
    # Jumps from endpoint to endpoint in the index: its cost is that of the endpoints with something pending, however
    # many rows each of them has. The settings keep a plan that was made while the tables were empty from reading them.
    op.execute("""
        create function webhooks_due(p_now timestamptz)
        returns table (org_id uuid, environment text, webhook_id text)
        language plpgsql stable security definer set search_path = public, pg_temp
        set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
        begin
            return query
            with recursive pending as (
                (select d.org_id, d.environment, d.webhook_id from webhook_deliveries d
                  where d.next_attempt_at is not null
                  order by d.org_id, d.environment, d.webhook_id limit 1)
                union all
                select next.* from pending p cross join lateral (
                    select d.org_id, d.environment, d.webhook_id from webhook_deliveries d
                     where d.next_attempt_at is not null
                       and (d.org_id, d.environment, d.webhook_id) > (p.org_id, p.environment, p.webhook_id)
                     order by d.org_id, d.environment, d.webhook_id limit 1) next
            )
            select p.org_id, p.environment, p.webhook_id from pending p
             where exists (
                select from webhook_endpoints e
                 where e.org_id = p.org_id and e.environment = p.environment and e.id = p.webhook_id
                   and e.status = 'active' and e.deleted_at is null)
               and exists (
                select from generate_series(0, 4) as tried (failures) where exists (
                    select from webhook_deliveries d
                     where d.org_id = p.org_id and d.environment = p.environment and d.webhook_id = p.webhook_id
                       and d.failures = tried.failures and d.next_attempt_at <= p_now));
        end $$;
    """)
    op.execute(definer_function("webhooks_due(timestamptz)"))
