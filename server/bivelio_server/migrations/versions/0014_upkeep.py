"""Retention, and the rotation of the encryption key."""

from alembic import op

from bivelio_server.migrations.online import index_online
from bivelio_server.migrations.tenancy import definer_function

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Plans are kept per connection and may be made while the tables are empty, when reading them whole looks cheapest.
_PRUNING = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""

# A fifth of a big table may be dead before the default setting has it cleaned.
_CHURNING = (
    *("events", "webhook_deliveries", "webhook_attempts", "workflow_instances", "workflow_steps", "refresh_tokens"),
    *("request_log", "usage_daily", "credit_months", "credit_entries", "audit_log"),
    *("idempotency_keys", "rate_windows", "address_windows", "sign_in_attempts", "durable.lanes"),
    *("absurd.t_work", "absurd.r_work"),
)


def upgrade() -> None:
    index_online("events_age", "events (org_id, environment, occurred_at)")
    index_online("contacts_deleted", "contacts (deleted_at) where deleted_at is not null")
    index_online("webhook_endpoints_deleted", "webhook_endpoints (deleted_at) where deleted_at is not null")
    index_online("workflows_deleted", "workflows (deleted_at) where deleted_at is not null")
    index_online("refresh_tokens_expired", "refresh_tokens (expires_at)")
    index_online("sign_in_sessions_age", "sign_in_sessions (created_at)")
    _keys()
    _chores()
    _history()
    _sign_ins()
    _requests()
    _deleted()
    for table in _CHURNING:
        op.execute(f"""
            alter table {table} set (
                autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)
        """)


def _keys() -> None:
    op.execute("""
        create table installation_keys (
            name text primary key,
            sealed bytea not null,
            since timestamptz not null
        );
        alter table installation_keys enable row level security;

        -- The columns whose secrets are sealed anew when the key changes; `place` is what a secret is bound to, with
        -- the columns of its row in braces.
        create table sealed_columns (
            table_name text not null,
            column_name text not null,
            place text not null,
            primary key (table_name, column_name)
        );
        alter table sealed_columns enable row level security;
        insert into sealed_columns values
            ('webhook_endpoints', 'signing_secret', 'webhook_endpoints.signing_secret {org_id} {environment} {id}'),
            ('webhook_endpoints', 'standard_secret', 'webhook_endpoints.standard_secret {org_id} {environment} {id}'),
            ('webhook_endpoints', 'previous_signing_secret',
             'webhook_endpoints.signing_secret {org_id} {environment} {id}'),
            ('webhook_endpoints', 'previous_standard_secret',
             'webhook_endpoints.standard_secret {org_id} {environment} {id}'),
            ('users', 'second_factor_secret', 'users.second_factor_secret:{id}'),
            ('mail_outbox', 'body', 'mail_outbox.body {org_id} {environment} {id}'),
            ('idempotency_keys', 'sealed_reply',
             'idempotency_keys.sealed_reply {org_id} {environment} {operation} {key}');
    """)


def _chores() -> None:
    op.execute(f"""
        create table chores (
            name text primary key,
            due_at timestamptz not null,
            busy_until timestamptz,
            started_at timestamptz,
            finished_at timestamptz,
            done bigint,
            error text
        );
        alter table chores enable row level security;

        -- Whether the chore is due and nobody is at it: then it is the caller's for `p_lease`.
        create function take_chore(p_name text, p_now timestamptz, p_lease interval) returns boolean {_PRUNING} as $$
        begin
            insert into chores (name, due_at) values (p_name, p_now) on conflict do nothing;
            update chores set started_at = p_now, busy_until = p_now + p_lease
             where name = p_name and due_at <= p_now and (busy_until is null or busy_until <= p_now);
            return found;
        end $$;

        create function end_chore(p_name text, p_now timestamptz, p_due timestamptz, p_done bigint, p_error text)
        returns void {_PRUNING} as $$
        begin
            update chores
               set busy_until = null, due_at = p_due, error = p_error,
                   finished_at = case when p_error is null then p_now else finished_at end,
                   done = case when p_error is null then p_done else done end
             where name = p_name;
        end $$;

        -- What each organisation keeps for how many days: its own settings, empty where it has none.
        create function retention_settings() returns table (org_id uuid, retention jsonb) {_PRUNING} as $$
        begin
            return query select o.id, coalesce(to_jsonb(o) -> 'retention', '{{}}'::jsonb) from organizations o;
        end $$;
    """)
    op.execute(definer_function("take_chore(text, timestamptz, interval)"))
    op.execute(definer_function("end_chore(text, timestamptz, timestamptz, bigint, text)"))
    op.execute(definer_function("retention_settings()"))


def _history() -> None:
    op.execute(f"""
        -- Each removes at most `p_limit` of an organisation's rows from before `p_before`, and returns how many.

        -- An event goes with its deliveries; one that may still be delivered stays, parked ones (with no next attempt)
        -- too. What somebody sends again meanwhile is either locked, or unfinished by the second look.
        create function prune_events(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_ids text[];
            v_held text[];
        begin
            select array_agg(old.id) into v_ids from (
                select e.id from events e
                 where e.org_id = p_org and e.environment in ('live', 'sandbox') and e.occurred_at < p_before
                   and not exists (
                    select from webhook_deliveries d
                     where d.org_id = e.org_id and d.environment = e.environment and d.event_id = e.id
                       and d.finished_at is null)
                 limit p_limit for update skip locked) old;
            select coalesce(array_agg(held.id), '{{}}') into v_held from (
                select d.id from webhook_deliveries d
                 where d.org_id = p_org and d.environment in ('live', 'sandbox') and d.event_id = any (v_ids)
                   and d.finished_at is not null
                   for update skip locked) held;
            select array_agg(old.id) into v_ids from unnest(v_ids) old (id)
             where not exists (
                select from webhook_deliveries d
                 where d.org_id = p_org and d.environment in ('live', 'sandbox') and d.event_id = old.id
                   and d.id <> all (v_held));
            delete from webhook_attempts a using webhook_deliveries d
             where d.org_id = p_org and d.environment in ('live', 'sandbox') and d.event_id = any (v_ids)
               and a.org_id = d.org_id and a.environment = d.environment and a.delivery_id = d.id;
            delete from webhook_deliveries d
             where d.org_id = p_org and d.environment in ('live', 'sandbox') and d.event_id = any (v_ids);
            delete from events e
             where e.org_id = p_org and e.environment in ('live', 'sandbox') and e.id = any (v_ids);
            return coalesce(cardinality(v_ids), 0);
        end $$;

        create function prune_deliveries(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_ids text[];
        begin
            select array_agg(old.id) into v_ids from (
                select d.id from webhook_endpoints e cross join lateral (
                    select d.id, d.org_id, d.environment from webhook_deliveries d
                     where d.org_id = e.org_id and d.environment = e.environment and d.webhook_id = e.id
                       and d.finished_at < p_before
                     order by d.finished_at limit p_limit for update skip locked) d
                 where e.org_id = p_org limit p_limit) old;
            delete from webhook_attempts a
             where a.org_id = p_org and a.environment in ('live', 'sandbox') and a.delivery_id = any (v_ids);
            delete from webhook_deliveries d
             where d.org_id = p_org and d.environment in ('live', 'sandbox') and d.id = any (v_ids);
            return coalesce(cardinality(v_ids), 0);
        end $$;

        create function prune_runs(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_ids text[];
        begin
            select array_agg(old.id) into v_ids from (
                select i.id from workflow_instances i
                 where i.org_id = p_org and i.environment in ('live', 'sandbox')
                   and i.started_at < p_before and i.finished_at < p_before
                 limit p_limit for update skip locked) old;
            delete from workflow_steps s
             where s.org_id = p_org and s.environment in ('live', 'sandbox') and s.instance_id = any (v_ids);
            delete from workflow_instances i
             where i.org_id = p_org and i.environment in ('live', 'sandbox') and i.id = any (v_ids);
            return coalesce(cardinality(v_ids), 0);
        end $$;
    """)
    op.execute(f"""
        create function prune_audit(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            delete from audit_log where org_id = p_org and id in (
                select a.id from audit_log a
                 where a.org_id = p_org and a.environment in ('live', 'sandbox') and a.at < p_before limit p_limit);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    for name in ("events", "deliveries", "runs", "audit"):
        op.execute(definer_function(f"prune_{name}(uuid, timestamptz, int)"))


def _sign_ins() -> None:
    op.execute(f"""
        -- Sign-ins that ended, or can no longer be renewed, before `p_before`.
        create function prune_sign_ins(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_tokens int;
            v_sessions int;
            v_codes int;
        begin
            delete from sign_in_codes where digest in (
                select digest from sign_in_codes where expires_at < p_before limit p_limit for update skip locked);
            get diagnostics v_codes = row_count;
            delete from refresh_tokens where digest in (
                select digest from refresh_tokens where expires_at < p_before
                 order by expires_at limit p_limit for update skip locked);
            get diagnostics v_tokens = row_count;
            delete from sign_in_sessions where id in (
                select s.id from sign_in_sessions s
                 where s.created_at < p_before
                   and (s.ended_at < p_before
                        or not exists (select from refresh_tokens t where t.session_id = s.id))
                 order by s.created_at limit p_limit for update skip locked);
            get diagnostics v_sessions = row_count;
            return v_tokens + v_sessions + v_codes;
        end $$;
    """)
    op.execute(definer_function("prune_sign_ins(timestamptz, int)"))


def _requests() -> None:
    op.execute(f"""
        create function prune_idempotency_keys(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            delete from idempotency_keys where (org_id, environment, operation, key) in (
                select i.org_id, i.environment, i.operation, i.key from idempotency_keys i
                 where i.created_at < p_before order by i.created_at limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_idempotency_keys(timestamptz, int)"))


def _deleted() -> None:
    op.execute(f"""
        -- Each removes for good what was deleted before `p_before`, at most `p_limit` rows of a table at a time, and
        -- returns how many.

        -- People outlive their company.
        create function prune_deleted_contacts(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            with gone as materialized (
                select c.org_id, c.environment, c.id from contacts c
                 where c.deleted_at < p_before order by c.deleted_at limit p_limit for update skip locked
            ), freed as (
                update contacts p set company_id = null, company_search = '' from gone g
                 where p.org_id = g.org_id and p.environment = g.environment and p.company_id = g.id
                   and (p.org_id, p.environment, p.id) not in (select * from gone)
            )
            delete from contacts c using gone g
             where c.org_id = g.org_id and c.environment = g.environment and c.id = g.id;
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;

        create function prune_deleted_webhooks(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_gone record;
            v_ids text[];
            v_removed int := 0;
        begin
            for v_gone in
                select e.org_id, e.environment, e.id from webhook_endpoints e
                 where e.deleted_at < p_before order by e.deleted_at limit p_limit for update skip locked
            loop
                select array_agg(old.id) into v_ids from (
                    select d.id from webhook_deliveries d
                     where d.org_id = v_gone.org_id and d.environment = v_gone.environment and d.webhook_id = v_gone.id
                     limit p_limit - v_removed) old;
                delete from webhook_attempts a
                 where a.org_id = v_gone.org_id and a.environment = v_gone.environment and a.delivery_id = any (v_ids);
                delete from webhook_deliveries d
                 where d.org_id = v_gone.org_id and d.environment = v_gone.environment and d.id = any (v_ids);
                v_removed := v_removed + coalesce(cardinality(v_ids), 0);
                exit when v_removed >= p_limit;
                delete from webhook_endpoints e
                 where e.org_id = v_gone.org_id and e.environment = v_gone.environment and e.id = v_gone.id;
                v_removed := v_removed + 1;
                exit when v_removed >= p_limit;
            end loop;
            return v_removed;
        end $$;

        create function prune_deleted_workflows(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_gone record;
            v_ids text[];
            v_removed int := 0;
        begin
            for v_gone in
                select w.org_id, w.environment, w.id from workflows w
                 where w.deleted_at < p_before and not exists (
                    select from workflow_instances i
                     where i.org_id = w.org_id and i.environment = w.environment and i.workflow_id = w.id
                       and i.finished_at is null)
                 order by w.deleted_at limit p_limit for update skip locked
            loop
                select array_agg(old.id) into v_ids from (
                    select i.id from workflow_instances i
                     where i.org_id = v_gone.org_id and i.environment = v_gone.environment and i.workflow_id = v_gone.id
                     limit p_limit - v_removed) old;
                delete from workflow_steps s
                 where s.org_id = v_gone.org_id and s.environment = v_gone.environment and s.instance_id = any (v_ids);
                delete from workflow_instances i
                 where i.org_id = v_gone.org_id and i.environment = v_gone.environment and i.id = any (v_ids);
                v_removed := v_removed + coalesce(cardinality(v_ids), 0);
                exit when v_removed >= p_limit;
                delete from workflow_versions v
                 where v.org_id = v_gone.org_id and v.environment = v_gone.environment and v.workflow_id = v_gone.id;
                delete from workflows w
                 where w.org_id = v_gone.org_id and w.environment = v_gone.environment and w.id = v_gone.id;
                v_removed := v_removed + 1;
                exit when v_removed >= p_limit;
            end loop;
            return v_removed;
        end $$;
    """)
    for name in ("contacts", "webhooks", "workflows"):
        op.execute(definer_function(f"prune_deleted_{name}(timestamptz, int)"))
