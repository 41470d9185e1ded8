"""Workflows, their versions, instances and the steps that these have taken."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _definitions()
    _runs()


def _definitions() -> None:
    op.execute("""
        create table workflows (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            name text not null,
            description text,
            status text not null check (status in ('draft', 'active', 'paused')),
            trigger_type text not null,
            concurrency text not null check (concurrency in ('many', 'one')),
            version int not null,
            steps_count int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            deleted_at timestamptz,
            primary key (org_id, environment, id)
        );
        create index workflows_newest on workflows (org_id, environment, created_at desc, id desc) where deleted_at is null;
        create table workflow_versions (
            org_id uuid not null,
            environment text not null,
            workflow_id text not null,
            version int not null,
            definition jsonb not null,
            created_by text not null,
            created_at timestamptz not null,
            activated_by text,
            activated_rights text[] not null default '{}',
            primary key (org_id, environment, workflow_id, version),
            foreign key (org_id, environment, workflow_id) references workflows (org_id, environment, id)
        );
    """)
    op.execute(business_table("workflows"))
    op.execute(business_table("workflow_versions", rights="select, insert, update"))


def _runs() -> None:
    op.execute("""
        create table workflow_instances (
            org_id uuid not null,
            environment text not null,
            id text not null,
            workflow_id text not null,
            version int not null,
            status text not null check (status in ('running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
            current_step int not null,
            total_steps int not null,
            input jsonb not null,
            output jsonb,
            error jsonb,
            depth int not null,
            started_by text not null,
            event_id text,
            task_id uuid,
            started_at timestamptz not null,
            updated_at timestamptz not null,
            finished_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, workflow_id, version)
                references workflow_versions (org_id, environment, workflow_id, version)
        );
        create index workflow_instances_newest on workflow_instances (org_id, environment, workflow_id, started_at desc, id desc);
        create index workflow_instances_all on workflow_instances (org_id, environment, started_at desc, id desc);
        create index workflow_instances_open on workflow_instances (org_id, environment, workflow_id)
            where finished_at is null;
        create unique index workflow_instances_event on workflow_instances (org_id, environment, event_id, workflow_id)
            where event_id is not null;
        create table workflow_steps (
            org_id uuid not null,
            environment text not null,
            instance_id text not null,
            step_id text not null,
            position int not null,
            uses text not null,
            status text not null check (status in ('running', 'waiting', 'completed', 'failed')),
            attempts int not null,
            input jsonb,
            output jsonb,
            error jsonb,
            prepared jsonb,
            started_at timestamptz not null,
            finished_at timestamptz,
            primary key (org_id, environment, instance_id, step_id),
            foreign key (org_id, environment, instance_id) references workflow_instances (org_id, environment, id)
        );
        comment on column workflow_instances.input is 'personal';
        comment on column workflow_instances.output is 'personal';
        comment on column workflow_instances.error is 'personal';
        comment on column workflow_steps.input is 'personal';
        comment on column workflow_steps.output is 'personal';
        comment on column workflow_steps.error is 'personal';
        comment on column workflow_steps.prepared is 'personal';
    """)
    op.execute(business_table("workflow_instances"))
    op.execute(business_table("workflow_steps"))
