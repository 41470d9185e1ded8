"""The public API of boxes: its keys, the requests that they and their people may send, and the units of a month."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _keys()
    _windows()
    _admission()
    _units()
    _taking()


def _keys() -> None:
    # A key is of the person behind whoever made it, and ends with the membership, or with the API key that made it.
    op.execute("""
        create table box_keys (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            name text not null,
            prefix text not null,
            digest bytea not null unique,
            user_id uuid not null,
            created_by_key text,
            created_at timestamptz not null,
            expires_at timestamptz,
            revoked_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, user_id) references members (org_id, user_id) on delete cascade,
            foreign key (org_id, created_by_key) references api_keys (org_id, id) on delete cascade
        );
        create index box_keys_newest on box_keys (org_id, environment, created_at desc, id desc);
        create index box_keys_user on box_keys (org_id, user_id);
        create index box_keys_maker on box_keys (org_id, created_by_key) where created_by_key is not null;
        comment on table box_keys is 'not purged: a credential, as the API keys of a sandbox';

        -- When a key stops to work; null is never.
        create function box_key_end(k box_keys) returns timestamptz
        language sql stable set search_path = public, pg_temp as $$
            select least(k.expires_at, k.revoked_at, (
                select least(a.expires_at, a.retires_at, a.revoked_at)
                  from api_keys a where a.org_id = k.org_id and a.id = k.created_by_key))
        $$;
    """)
    op.execute(business_table("box_keys", rights="select, insert, update"))
    op.execute(definer_function("box_key_end(box_keys)"))


def _windows() -> None:
    # Counters that every request writes: kept out of pages' way (fillfactor), and committed without waiting for the
    # disk, like those of organisations. Both are in the write-ahead log.
    op.execute("""
        create table box_key_windows (
            org_id uuid not null,
            environment text not null,
            key_id text not null,
            started_at timestamptz not null,
            hits int not null,
            last_used_at timestamptz,
            primary key (org_id, environment, key_id),
            foreign key (org_id, environment, key_id) references box_keys (org_id, environment, id) on delete cascade
        ) with (fillfactor = 50);
        comment on table box_key_windows is 'not purged: one row a key';
        create table box_user_windows (
            org_id uuid not null,
            environment text not null check (environment in ('live', 'sandbox')),
            user_id uuid not null,
            started_at timestamptz not null,
            hits int not null,
            primary key (org_id, environment, user_id),
            foreign key (org_id, user_id) references members (org_id, user_id) on delete cascade
        ) with (fillfactor = 50);
        create index box_user_windows_member on box_user_windows (org_id, user_id);
        comment on table box_user_windows is 'not purged: clearing a sandbox must not clear what was charged';
    """)
    op.execute(business_table("box_key_windows", rights="select"))
    op.execute(business_table("box_user_windows", rights="select"))


def _admission() -> None:
    # One call a request: whose key it is, and whether it may come in now. Both windows are locked, the key's first, and
    # charged together or not at all. `held_by` names the one that refuses.
    op.execute("""
        -- Makes what is missing of them. False when the key or the member is gone just now.
        create function open_box_windows(p_org uuid, p_environment text, p_key text, p_user uuid, p_now timestamptz)
        returns boolean language plpgsql set search_path = public, pg_temp as $$
        begin
            insert into box_key_windows values (p_org, p_environment, p_key, p_now, 0) on conflict do nothing;
            insert into box_user_windows values (p_org, p_environment, p_user, p_now, 0) on conflict do nothing;
            return true;
        exception when foreign_key_violation then
            return false;
        end $$;

        create function admit_by_box_key(p_digest bytea, p_per_minute int, p_per_day int, p_now timestamptz)
        returns table (org_id uuid, environment text, id text, user_id uuid, role text, scopes text[], plan text,
                       expired boolean, hits int, key_remaining int, key_resets_at timestamptz, user_remaining int,
                       user_resets_at timestamptz, retry_after int, held_by text)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_end timestamptz;
            v_is_open boolean;
            v_key box_key_windows;
            v_user box_user_windows;
        begin
            select k.org_id, k.environment, k.id, k.user_id, m.role, coalesce(a.scopes, array['admin']), o.plan,
                   box_key_end(k)
              into org_id, environment, id, user_id, role, scopes, plan, v_end
              from box_keys k
              join members m on m.org_id = k.org_id and m.user_id = k.user_id
              join organizations o on o.id = k.org_id and o.deleted_at is null
              left join api_keys a on a.org_id = k.org_id and a.id = k.created_by_key
             where k.digest = p_digest and k.revoked_at is null and a.revoked_at is null;
            if not found then
                return;
            end if;
            expired := v_end <= p_now is true;
            if expired then
                return next;
                return;
            end if;
            perform set_config('synchronous_commit', 'off', true);
            loop
                select w.* into v_key from box_key_windows w
                 where w.org_id = admit_by_box_key.org_id and w.environment = admit_by_box_key.environment
                   and w.key_id = admit_by_box_key.id for update;
                v_is_open := found;
                select w.* into v_user from box_user_windows w
                 where w.org_id = admit_by_box_key.org_id and w.environment = admit_by_box_key.environment
                   and w.user_id = admit_by_box_key.user_id for update;
                exit when v_is_open and found;
                if not open_box_windows(org_id, environment, id, user_id, p_now) then
                    return;
                end if;
            end loop;
            if v_key.started_at + interval '1 minute' <= p_now then
                v_key.started_at := p_now;
                v_key.hits := 0;
            end if;
            if v_user.started_at + interval '24 hours' <= p_now then
                v_user.started_at := p_now;
                v_user.hits := 0;
            end if;
            key_resets_at := v_key.started_at + interval '1 minute';
            user_resets_at := v_user.started_at + interval '24 hours';
            retry_after := greatest(
                case when v_key.hits >= p_per_minute then ceil(extract(epoch from key_resets_at - p_now)) else 0 end,
                case when v_user.hits >= p_per_day then ceil(extract(epoch from user_resets_at - p_now)) else 0 end);
            if retry_after = 0 then
                v_key.hits := v_key.hits + 1;
                v_user.hits := v_user.hits + 1;
                update box_key_windows w
                   set started_at = v_key.started_at, hits = v_key.hits, last_used_at = p_now
                 where w.org_id = v_key.org_id and w.environment = v_key.environment and w.key_id = v_key.key_id;
                update box_user_windows w set started_at = v_user.started_at, hits = v_user.hits
                 where w.org_id = v_user.org_id and w.environment = v_user.environment and w.user_id = v_user.user_id;
            else
                held_by := case when v_user.hits >= p_per_day then 'user' else 'key' end;
            end if;
            hits := v_key.hits;
            key_remaining := greatest(0, p_per_minute - v_key.hits);
            user_remaining := greatest(0, p_per_day - v_user.hits);
            return next;
        end $$;
    """)
    op.execute("revoke all on function open_box_windows(uuid, text, text, uuid, timestamptz) from public")
    op.execute(definer_function("admit_by_box_key(bytea, int, int, timestamptz)"))


def _units() -> None:
    # `allowance` is what the plan gave when a unit was last taken: a plan that became smaller takes nothing back. In
    # the sandbox units are counted and never refused.
    op.execute("""
        alter table plans add column monthly_units int check (monthly_units >= 0);
        update plans set monthly_units = case name when 'starter' then 1000 when 'pro' then 10000 else 100000 end;
        alter table plans alter column monthly_units set not null;
        alter table organizations add column monthly_units int check (monthly_units >= 0);

        create table box_unit_months (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            month date not null,
            allowance int not null,
            used int not null check (used >= 0),
            primary key (org_id, environment, month),
            check (environment = 'sandbox' or used <= allowance)
        ) with (fillfactor = 50);
        comment on table box_unit_months is 'not purged: one row a month';
    """)
    op.execute(business_table("box_unit_months", rights="select"))


def _taking() -> None:
    op.execute("""
        create function monthly_units(p_org uuid) returns int
        language sql stable set search_path = public, pg_temp as $$
            select coalesce(o.monthly_units, p.monthly_units)
              from organizations o join plans p on p.name = o.plan where o.id = p_org
        $$;

        -- The month of the transaction's tenant, without taking anything.
        create function present_units(p_now timestamptz,
            out month date, out allowance int, out used int, out remaining int, out resets_at timestamptz)
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_environment text := current_setting('app.environment', true);
            v_zone text := (select timezone from organizations where id = v_org);
        begin
            month := date_trunc('month', p_now at time zone v_zone)::date;
            resets_at := (month + interval '1 month') at time zone v_zone;
            allowance := monthly_units(v_org);
            used := coalesce((select m.used from box_unit_months m
                               where m.org_id = v_org and m.environment = v_environment
                                 and m.month = present_units.month), 0);
            remaining := case when v_environment = 'sandbox' then allowance else greatest(0, allowance - used) end;
        end $$;

        -- Takes a unit of the transaction's tenant; whoever else of it takes one waits until the transaction ends.
        create function take_unit(p_now timestamptz) returns boolean
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_environment text := current_setting('app.environment', true);
            v record;
        begin
            select p.month, p.allowance into v from present_units(p_now) p;
            insert into box_unit_months values (v_org, v_environment, v.month, v.allowance, 0) on conflict do nothing;
            update box_unit_months m set allowance = v.allowance, used = m.used + 1
             where m.org_id = v_org and m.environment = v_environment and m.month = v.month
               and (v_environment = 'sandbox' or m.used < v.allowance);
            return found;
        end $$;
    """)
    op.execute("revoke all on function monthly_units(uuid) from public")
    op.execute(definer_function("present_units(timestamptz)"))
    op.execute(definer_function("take_unit(timestamptz)"))
