"""Workflows that a URL of their own starts, and the secrets that their steps use."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _secrets()
    _hooks()
    _calling()


def _secrets() -> None:
    op.execute("""
        create table workflow_secrets (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            name text not null,
            description text,
            sealed_value bytea not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (org_id, environment, id),
            unique (org_id, environment, name)
        );
        insert into sealed_columns values
            ('workflow_secrets', 'sealed_value', 'workflow_secrets.sealed_value {org_id} {environment} {id}');
    """)
    op.execute(business_table("workflow_secrets"))


def _hooks() -> None:
    # The id is the public part of the URL. The previous secret proves until `previous_until`, sealed as the present one.
    op.execute("""
        create table workflow_hooks (
            org_id uuid not null,
            environment text not null,
            id text not null unique,
            workflow_id text not null,
            secret bytea,
            previous_secret bytea,
            previous_until timestamptz,
            rotated_at timestamptz,
            last_used_at timestamptz,
            created_at timestamptz not null,
            primary key (org_id, environment, id),
            unique (org_id, environment, workflow_id),
            foreign key (org_id, environment, workflow_id) references workflows (org_id, environment, id)
                on delete cascade,
            check ((previous_secret is null) = (previous_until is null)),
            check ((secret is null) = (rotated_at is null))
        );
        insert into sealed_columns values
            ('workflow_hooks', 'secret', 'workflow_hooks.secret {org_id} {environment} {id}'),
            ('workflow_hooks', 'previous_secret', 'workflow_hooks.secret {org_id} {environment} {id}');
    """)
    op.execute(business_table("workflow_hooks"))


def _calling() -> None:
    # What a request to a hook's URL needs before there is a caller: whose hook it is, then what the limits leave.
    op.execute("""
        create function open_hook(p_id text)
        returns table (org_id uuid, environment text, workflow_id text, plan text, secret bytea, previous_secret bytea,
                       previous_until timestamptz)
        language sql stable security definer set search_path = public, pg_temp as $$
            select h.org_id, h.environment, h.workflow_id, o.plan, h.secret, h.previous_secret, h.previous_until
              from workflow_hooks h
              join workflows w on w.org_id = h.org_id and w.environment = h.environment and w.id = h.workflow_id
              join organizations o on o.id = h.org_id
             where h.id = p_id and w.status = 'active' and w.trigger_type = 'webhook' and w.deleted_at is null
               and exists (select from members m where m.org_id = h.org_id)
        $$;

        create function admit_by_hook(p_id text, p_now timestamptz)
        returns table (per_minute int, per_second int, remaining int, resets_at timestamptz, retry_after int, burst boolean)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v workflow_hooks;
        begin
            select h.* into v from workflow_hooks h where h.id = p_id;
            if found then
                return query select c.* from charge_organization(v.org_id, v.environment, p_now) c;
            end if;
        end $$;
    """)
    op.execute(definer_function("open_hook(text)"))
    op.execute(definer_function("admit_by_hook(text, timestamptz)"))
