"""What surrounds every request: plans and their limits, idempotency keys, the audit log."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function, organisation_table

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _plans()
    _keys()
    _windows()
    _admission()
    _idempotency()
    _audit()


def _plans() -> None:
    # Null is no limit. What an organisation has of its own goes before what its plan gives.
    op.execute("""
        create table plans (
            name text primary key,
            requests_per_minute int check (requests_per_minute > 0),
            requests_per_second int check (requests_per_second > 0),
            monthly_credits int not null check (monthly_credits >= 0)
        );
        insert into plans values ('starter', 100, 20, 500), ('pro', 500, 50, 5000), ('enterprise', null, null, 50000);
        alter table plans enable row level security;
        alter table organizations drop constraint organizations_plan_check;
        alter table organizations
            add foreign key (plan) references plans (name),
            add column requests_per_minute int check (requests_per_minute > 0),
            add column requests_per_second int check (requests_per_second > 0),
            add column monthly_credits int check (monthly_credits >= 0);
    """)


def _keys() -> None:
    # A rotated key goes on until `retires_at`, beside its successor. `api_version` is what the key was made for.
    op.execute("""
        alter table api_keys
            add column expires_at timestamptz,
            add column retires_at timestamptz,
            add column successor_id text,
            add column allowed_origins text[] not null default '{}',
            add column last_used_at timestamptz,
            add column last_used_address text,
            add column api_version text not null default '2026-04-07',
            add column expiry_announced_at timestamptz,
            add column version int not null default 1,
            add foreign key (org_id, successor_id) references api_keys (org_id, id);
    """)


def _windows() -> None:
    # Counters of the present minute and second, written with every request: kept out of pages' way (fillfactor), and
    # committed without waiting for the disk. After a crash of the database at most a moment's requests are forgotten.
    for table, key in (("rate_windows", "org_id uuid, environment text"), ("address_windows", "address text")):
        names = ", ".join(part.split()[0] for part in key.split(", "))
        op.execute(f"""
            create table {table} (
                {key.replace(",", " not null,")} not null,
                minute_started_at timestamptz not null,
                minute_hits int not null,
                second_started_at timestamptz not null,
                second_hits int not null,
                primary key ({names})
            ) with (fillfactor = 50);
            create function charge_{table}(
                {", ".join(f"p_{part}" for part in key.split(", "))}, p_per_minute int, p_per_second int, p_now timestamptz,
                out remaining int, out resets_at timestamptz, out retry_after int, out burst boolean)
            language plpgsql set search_path = public, pg_temp as $$
            declare
                v {table};
            begin
                insert into {table} as w
                values ({", ".join(f"p_{name}" for name in names.split(", "))}, p_now, 1, p_now, 1)
                on conflict ({names}) do update set
                    minute_started_at = case when w.minute_started_at + interval '1 minute' <= p_now
                                             then p_now else w.minute_started_at end,
                    minute_hits = case when w.minute_started_at + interval '1 minute' <= p_now
                                       then 1 else w.minute_hits + 1 end,
                    second_started_at = case when w.second_started_at + interval '1 second' <= p_now
                                             then p_now else w.second_started_at end,
                    second_hits = case when w.second_started_at + interval '1 second' <= p_now
                                       then 1 else w.second_hits + 1 end
                 where (w.minute_hits < p_per_minute or w.minute_started_at + interval '1 minute' <= p_now)
                   and (w.second_hits < p_per_second or w.second_started_at + interval '1 second' <= p_now)
                returning w.* into v;
                if found then
                    retry_after := 0;
                else
                    select w.* into v from {table} w
                     where {" and ".join(f"w.{name} = p_{name}" for name in names.split(", "))};
                    burst := v.minute_hits < p_per_minute or v.minute_started_at + interval '1 minute' <= p_now;
                    retry_after := case when burst then 1 else
                        greatest(1, ceil(extract(epoch from v.minute_started_at + interval '1 minute' - p_now)))::int end;
                end if;
                remaining := greatest(0, p_per_minute - v.minute_hits);
                resets_at := v.minute_started_at + interval '1 minute';
            end $$;
        """)
    op.execute("""
        alter table address_windows enable row level security;
        create index address_windows_started on address_windows (minute_started_at);
    """)
    op.execute(business_table("rate_windows", rights="select"))


def _admission() -> None:
    # One call a request: who it is, and whether it may come in now. A commit that the caller waits for is not needed:
    # what is charged here is no more than a counter.
    op.execute("""
        drop function caller_by_key(bytea);
        drop function caller_by_session(uuid);

        -- A key as it is now; the one place that says which keys work.
        create function working_key(p_digest bytea, p_now timestamptz)
        returns table (org_id uuid, environment text, id text, type text, scopes text[], user_id uuid, role text, plan text,
                       allowed_origins text[], api_version text, expired boolean)
        language sql stable set search_path = public, pg_temp as $$
            select k.org_id, k.environment, k.id, k.type, k.scopes, k.created_by, m.role, o.plan, k.allowed_origins,
                   k.api_version, k.expires_at <= p_now is true
              from api_keys k
              join members m on m.org_id = k.org_id and m.user_id = k.created_by
              join organizations o on o.id = k.org_id
             where k.digest = p_digest and k.revoked_at is null and (k.retires_at is null or k.retires_at > p_now)
        $$;

        create function caller_by_key(p_digest bytea, p_now timestamptz)
        returns table (org_id uuid, environment text, id text, type text, scopes text[], user_id uuid, role text, plan text,
                       allowed_origins text[], api_version text, expired boolean)
        language sql stable security definer set search_path = public, pg_temp as $$
            select * from working_key(p_digest, p_now)
        $$;

        create function charge_organization(p_org uuid, p_environment text, p_now timestamptz,
            out per_minute int, out per_second int, out remaining int, out resets_at timestamptz, out retry_after int,
            out burst boolean)
        language plpgsql set search_path = public, pg_temp as $$
        begin
            select coalesce(o.requests_per_minute, p.requests_per_minute, 60 * o.requests_per_second),
                   coalesce(o.requests_per_second, p.requests_per_second, o.requests_per_minute, p.requests_per_minute)
              into per_minute, per_second
              from organizations o join plans p on p.name = o.plan where o.id = p_org;
            if per_minute is not null then
                perform set_config('synchronous_commit', 'off', true);
                select c.remaining, c.resets_at, c.retry_after, c.burst into remaining, resets_at, retry_after, burst
                  from charge_rate_windows(p_org, p_environment, per_minute, per_second, p_now) c;
            end if;
        end $$;

        create function admit_by_key(p_digest bytea, p_now timestamptz)
        returns table (org_id uuid, environment text, id text, type text, scopes text[], user_id uuid, role text, plan text,
                       allowed_origins text[], api_version text, expired boolean, per_minute int, per_second int,
                       remaining int, resets_at timestamptz, retry_after int, burst boolean)
        language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            select k.* into org_id, environment, id, type, scopes, user_id, role, plan, allowed_origins, api_version, expired
              from working_key(p_digest, p_now) k;
            if not found then
                return;
            end if;
            if not expired then
                select c.* into per_minute, per_second, remaining, resets_at, retry_after, burst
                  from charge_organization(org_id, environment, p_now) c;
            end if;
            return next;
        end $$;

        create function admit_by_session(p_session uuid, p_now timestamptz)
        returns table (org_id uuid, environment text, user_id uuid, role text, plan text, per_minute int, per_second int,
                       remaining int, resets_at timestamptz, retry_after int, burst boolean)
        language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            select s.org_id, s.environment, s.user_id, m.role, o.plan into org_id, environment, user_id, role, plan
              from sign_in_sessions s
              join members m on m.org_id = s.org_id and m.user_id = s.user_id
              join organizations o on o.id = s.org_id
             where s.id = p_session and s.ended_at is null;
            if not found then
                return;
            end if;
            select c.* into per_minute, per_second, remaining, resets_at, retry_after, burst
              from charge_organization(org_id, environment, p_now) c;
            return next;
        end $$;

        -- Windows of addresses that are long over are forgotten now and then, so that anonymous callers leave no trace.
        create function admit_address(p_address text, p_per_minute int, p_per_second int, p_now timestamptz,
            out remaining int, out resets_at timestamptz, out retry_after int, out burst boolean)
        language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            perform set_config('synchronous_commit', 'off', true);
            if random() < 0.05 then
                delete from address_windows where address in (
                    select w.address from address_windows w where w.minute_started_at < p_now - interval '2 minutes'
                     order by w.minute_started_at limit 100 for update skip locked);
            end if;
            select c.* into remaining, resets_at, retry_after, burst
              from charge_address_windows(p_address, p_per_minute, p_per_second, p_now) c;
        end $$;

        drop function present_rights(text);
        -- What a user or key may do now, for work that goes on after its request: null when it may nothing.
        create function present_rights(p_actor text, p_now timestamptz)
        returns table (scopes text[], user_id uuid, role text, plan text, key_type text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select array['admin'], m.user_id, m.role, o.plan, 'secret'
              from members m join organizations o on o.id = m.org_id
             where p_actor like 'user:%' and m.user_id::text = substr(p_actor, 6)
               and m.org_id = nullif(current_setting('app.org_id', true), '')::uuid
            union all
            select k.scopes, k.created_by, m.role, o.plan, k.type
              from api_keys k
              join members m on m.org_id = k.org_id and m.user_id = k.created_by
              join organizations o on o.id = k.org_id
             where p_actor like 'key:%' and k.id = substr(p_actor, 5) and k.revoked_at is null
               and (k.expires_at is null or k.expires_at > p_now) and (k.retires_at is null or k.retires_at > p_now)
               and k.org_id = nullif(current_setting('app.org_id', true), '')::uuid
        $$;
    """)
    for signature in (
        "caller_by_key(bytea, timestamptz)",
        "admit_by_key(bytea, timestamptz)",
        "admit_by_session(uuid, timestamptz)",
        "admit_address(text, int, int, timestamptz)",
        "present_rights(text, timestamptz)",
    ):
        op.execute(definer_function(signature))
    for internal in (
        "working_key(bytea, timestamptz)",
        "charge_organization(uuid, text, timestamptz)",
        "charge_rate_windows(uuid, text, int, int, timestamptz)",
        "charge_address_windows(text, int, int, timestamptz)",
    ):
        op.execute(f"revoke all on function {internal} from public")


def _idempotency() -> None:
    # `status` is null while nothing is to be repeated yet. A request that needs several transactions holds its key by
    # a lease; one that needs a single transaction holds it by a lock alone.
    op.execute("""
        create table idempotency_keys (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            operation text not null,
            key text not null,
            digest bytea not null,
            created_at timestamptz not null,
            lease_until timestamptz,
            status int,
            reply text,
            sealed_reply bytea,
            primary key (org_id, environment, operation, key)
        );
        create index idempotency_keys_created on idempotency_keys (created_at);
        comment on column idempotency_keys.reply is 'personal';
        comment on column idempotency_keys.sealed_reply is 'personal';

        -- Every statement in here sees what was committed before it, so a reply stored by whoever held the lock is seen.
        create function claim_idempotency_key(
            p_org uuid, p_environment text, p_operation text, p_key text, p_digest bytea, p_now timestamptz)
        returns table (outcome text, status int, reply text, sealed_reply bytea)
        language plpgsql set search_path = public, pg_temp as $$
        declare
            v idempotency_keys;
        begin
            if not pg_try_advisory_xact_lock(
                hashtextextended(concat_ws(' ', p_org, p_environment, p_operation, p_key), 0)) then
                return query select 'in_flight', null::int, null::text, null::bytea;
                return;
            end if;
            select i.* into v from idempotency_keys i
             where i.org_id = p_org and i.environment = p_environment and i.operation = p_operation and i.key = p_key;
            if not found or v.created_at <= p_now - interval '24 hours' then
                return query select 'new', null::int, null::text, null::bytea;
            elsif v.digest <> p_digest then
                return query select 'mismatch', null::int, null::text, null::bytea;
            elsif v.lease_until > p_now then
                return query select 'in_flight', null::int, null::text, null::bytea;
            elsif v.status is null then
                return query select 'new', null::int, null::text, null::bytea;
            else
                return query select 'stored', v.status, v.reply, v.sealed_reply;
            end if;
        end $$;
        revoke all on function claim_idempotency_key(uuid, text, text, text, bytea, timestamptz) from public;
        grant execute on function claim_idempotency_key(uuid, text, text, text, bytea, timestamptz) to bivelio_serving;
    """)
    op.execute(business_table("idempotency_keys"))


def _audit() -> None:
    op.execute("""
        create table audit_log (
            org_id uuid not null references organizations (id),
            id text not null,
            environment text not null check (environment in ('live', 'sandbox')),
            at timestamptz not null,
            operation text not null,
            actor text not null,
            on_behalf_of text,
            door text not null,
            cause text,
            request_id text,
            address text,
            resource_type text,
            resource_id text,
            before jsonb,
            after jsonb,
            primary key (org_id, id)
        );
        create index audit_log_newest on audit_log (org_id, environment, at desc, id desc);
        create index audit_log_resource on audit_log (org_id, environment, resource_type, resource_id, at desc, id desc);
        comment on column audit_log.before is 'personal';
        comment on column audit_log.after is 'personal';
    """)
    op.execute(organisation_table("audit_log", rights="select, insert"))
