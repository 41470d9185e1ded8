"""Every attempt at a delivery as its owner sees it; rotation, policy and payload version of endpoints; notices."""

from alembic import op

from bivelio_server.migrations.tenancy import organisation_table

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _endpoints()
    _deliveries()
    _attempts()
    _notices()


def _endpoints() -> None:
    # The previous secrets sign until `previous_until`; they are sealed as the present ones were.
    op.execute("""
        alter table webhook_endpoints
            add column disable_policy text not null default 'attempts'
                check (disable_policy in ('attempts', 'patient')),
            add column failing_since timestamptz,
            add column payload_version text not null default '2026-04-07',
            add column previous_signing_secret bytea,
            add column previous_standard_secret bytea,
            add column previous_until timestamptz,
            add check ((previous_signing_secret is null) = (previous_until is null)),
            add check (previous_standard_secret is null or previous_signing_secret is not null);
        alter table webhook_endpoints
            alter column disable_policy drop default,
            alter column payload_version drop default;
    """)


def _deliveries() -> None:
    # A test keeps its body, since no event does.
    op.execute("""
        alter table webhook_deliveries
            add column event text,
            add column payload_version text not null default '2026-04-07',
            add column body text,
            add check (body is null or kind = 'test');
        update webhook_deliveries d set event = e.event from events e
         where e.org_id = d.org_id and e.environment = d.environment and e.id = d.event_id;
        update webhook_deliveries d set event = e.events[1] from webhook_endpoints e
         where d.event is null
           and e.org_id = d.org_id and e.environment = d.environment and e.id = d.webhook_id;
        alter table webhook_deliveries
            alter column event set not null,
            alter column payload_version drop default;
        create index webhook_deliveries_newest on webhook_deliveries (org_id, environment, created_at, id);
        create index webhook_deliveries_missed on webhook_deliveries (org_id, environment, status, created_at, id)
            where status in ('failed', 'cancelled');
        comment on column webhook_deliveries.body is 'personal';
    """)


def _attempts() -> None:
    op.execute("""
        alter table webhook_attempts
            add column url text,
            add column request_headers jsonb,
            add column response_headers jsonb,
            add column response_body text,
            add column response_truncated boolean;
        comment on column webhook_attempts.response_body is 'personal';
    """)


def _notices() -> None:
    # `mailed_at` is for whoever sends notices on by e-mail: null until then.
    op.execute("""
        create table notices (
            org_id uuid not null references organizations (id),
            id text not null,
            environment text not null check (environment in ('live', 'sandbox')),
            kind text not null,
            resource_id text,
            text jsonb not null,
            details jsonb not null,
            created_at timestamptz not null,
            read_at timestamptz,
            read_by text,
            mailed_at timestamptz,
            primary key (org_id, id),
            check ((read_at is null) = (read_by is null))
        );
        create index notices_newest on notices (org_id, created_at desc, id desc);
        create index notices_unread on notices (org_id, created_at desc, id desc) where read_at is null;
    """)
    op.execute(organisation_table("notices", rights="select, insert, update"))
