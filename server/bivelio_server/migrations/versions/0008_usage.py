"""The request log, usage by day, and the ledger of credits."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function, organisation_table

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _request_log()
    _usage()
    _journal()
    _credits()
    _taking()
    _settling()
    _present()


def _request_log() -> None:
    # No foreign keys: a batch is written for many organisations at once, and none of its rows may hold up the others.
    # `id` is the writing process's own; a client chooses `request_id`, which may repeat.
    op.execute("""
        create table request_log (
            org_id uuid not null,
            id uuid not null,
            request_id text not null,
            environment text not null check (environment in ('live', 'sandbox')),
            at timestamptz not null,
            operation text not null,
            path text not null,
            status int not null,
            error_code text,
            duration_ms double precision not null,
            actor text not null,
            key_id text,
            address text,
            door text not null,
            idempotency_key_hash text,
            replayed boolean not null,
            api_version text,
            user_agent text,
            primary key (org_id, id)
        );
        create index request_log_newest on request_log (org_id, environment, at desc, id desc);
        create index request_log_failed on request_log (org_id, environment, at desc, id desc) where status >= 400;
        create index request_log_request on request_log (org_id, request_id);
        comment on column request_log.address is 'personal';
        comment on column request_log.user_agent is 'personal';
    """)
    op.execute(organisation_table("request_log", rights="select"))
    op.execute("""
        create function prune_request_log(p_org uuid, p_before timestamptz, p_limit int) returns int
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_removed int;
        begin
            delete from request_log where org_id = p_org and id in (
                select l.id from unnest(array['live', 'sandbox']) as e (name) cross join lateral (
                    select o.id from request_log o
                     where o.org_id = p_org and o.environment = e.name and o.at < p_before
                     order by o.at limit p_limit) l
                 limit p_limit);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_request_log(uuid, timestamptz, int)"))


def _usage() -> None:
    # `day` is the organisation's; `key_id` is empty for who signed in. `errors` are replies from 400 on except the
    # refusals of a limit (429), which `refused` counts.
    op.execute("""
        create table usage_daily (
            org_id uuid not null,
            day date not null,
            environment text not null check (environment in ('live', 'sandbox')),
            key_id text not null,
            operation text not null,
            requests bigint not null,
            errors bigint not null,
            refused bigint not null,
            duration_ms_total double precision not null,
            primary key (org_id, day, environment, key_id, operation)
        ) with (fillfactor = 70);
    """)
    op.execute(organisation_table("usage_daily", rights="select"))


def _journal() -> None:
    # Counted is what the log did not hold yet, so a batch that is written again after a lost reply counts once. Rows are
    # locked in the order of their keys. A key that somebody is changing right now keeps its last use until the next.
    op.execute("""
        create function write_journal(p_records jsonb) returns void
        language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            with given as materialized (
                select r.*, to_timestamp(r.arrived_at) as at,
                       (to_timestamp(r.arrived_at) at time zone o.timezone)::date as day
                  from jsonb_to_recordset(p_records) as r (
                       org_id uuid, id uuid, request_id text, environment text, arrived_at double precision,
                       operation text, path text, status int, error_code text, duration_ms double precision, actor text,
                       key_id text, address text, door text, idempotency_key_hash text, replayed boolean, api_version text, user_agent text)
                  join organizations o on o.id = r.org_id
            ), logged as (
                insert into request_log
                       (org_id, id, request_id, environment, at, operation, path, status, error_code, duration_ms, actor,
                        key_id, address, door, idempotency_key_hash, replayed, api_version, user_agent)
                select org_id, id, request_id, environment, at, operation, path, status, error_code, duration_ms, actor,
                       key_id, address, door, idempotency_key_hash, replayed, api_version, user_agent
                  from given
                on conflict (org_id, id) do nothing
                returning org_id, id
            ), counted as (
                insert into usage_daily as u
                       (org_id, day, environment, key_id, operation, requests, errors, refused, duration_ms_total)
                select g.org_id, g.day, g.environment, coalesce(g.key_id, ''), g.operation, count(*),
                       count(*) filter (where g.status >= 400 and g.status <> 429),
                       count(*) filter (where g.status = 429), sum(g.duration_ms)
                  from given g join logged l on l.org_id = g.org_id and l.id = g.id
                 group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
                on conflict (org_id, day, environment, key_id, operation) do update
                   set requests = u.requests + excluded.requests, errors = u.errors + excluded.errors,
                       refused = u.refused + excluded.refused,
                       duration_ms_total = u.duration_ms_total + excluded.duration_ms_total
            ), last_uses as materialized (
                select distinct on (org_id, key_id) org_id, key_id, at, address
                  from given where key_id is not null order by org_id, key_id, at desc
            ), due as materialized (
                select k.org_id, k.id, u.at, u.address
                  from api_keys k join last_uses u on u.org_id = k.org_id and u.key_id = k.id
                 where k.last_used_at is null or date_trunc('second', k.last_used_at) < date_trunc('second', u.at)
                 order by k.org_id, k.id for no key update of k skip locked
            )
            update api_keys k set last_used_at = due.at, last_used_address = due.address
              from due where k.org_id = due.org_id and k.id = due.id;
        end $$;
    """)
    op.execute(definer_function("write_journal(jsonb)"))


def _credits() -> None:
    # `allowance` is what the plan gave when credits were last taken: a plan that became smaller takes nothing back.
    op.execute("""
        create table credit_months (
            org_id uuid not null references organizations (id),
            month date not null,
            allowance int not null,
            used int not null check (used >= 0),
            reserved int not null check (reserved >= 0),
            primary key (org_id, month),
            check (used + reserved <= allowance)
        ) with (fillfactor = 70);
        create table credit_entries (
            org_id uuid not null references organizations (id),
            id text not null,
            month date not null,
            day date not null,
            environment text not null check (environment in ('live', 'sandbox')),
            at timestamptz not null,
            operation text not null,
            actor text not null,
            key_id text,
            request_id text,
            cause text,
            amount int not null check (amount >= 0),
            state text not null check (state in ('reserved', 'settled', 'refunded')),
            lease_until timestamptz,
            settled_amount int check (settled_amount between 0 and amount),
            primary key (org_id, id),
            check ((state = 'reserved') = (lease_until is not null)),
            check ((state = 'settled') = (settled_amount is not null))
        );
        create index credit_entries_newest on credit_entries (org_id, environment, at desc, id desc);
        create index credit_entries_day on credit_entries (org_id, environment, day);
        create index credit_entries_leases on credit_entries (lease_until) where state = 'reserved';
    """)
    op.execute(organisation_table("credit_months", rights="select"))
    op.execute(organisation_table("credit_entries", rights="select"))


def _taking() -> None:
    # An entry is locked before its month, here and below, and the month as late as can be: whoever else of the
    # organisation takes credits waits for it until the transaction ends.
    op.execute("""
        create function monthly_allowance(p_org uuid) returns int
        language sql stable set search_path = public, pg_temp as $$
            select coalesce(o.monthly_credits, p.monthly_credits)
              from organizations o join plans p on p.name = o.plan where o.id = p_org
        $$;

        create function take_from_month(p_org uuid, p_month date, p_used int, p_reserved int) returns boolean
        language plpgsql set search_path = public, pg_temp as $$
        declare
            v_allowance int := monthly_allowance(p_org);
        begin
            insert into credit_months values (p_org, p_month, v_allowance, 0, 0) on conflict do nothing;
            update credit_months
               set allowance = v_allowance, used = used + p_used, reserved = reserved + p_reserved
             where org_id = p_org and month = p_month and used + reserved + p_used + p_reserved <= v_allowance;
            return found;
        end $$;

        -- Takes credits of the tenant of the transaction, for good when there is no lease. Taking twice under one id is
        -- taking once; what was refunded meanwhile is taken again. The sandbox is never refused.
        create function take_credits(
            p_id text, p_operation text, p_amount int, p_actor text, p_key_id text, p_request_id text, p_cause text,
            p_now timestamptz, p_lease_until timestamptz,
            out granted boolean, out available int, out resets_at timestamptz)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_environment text := current_setting('app.environment', true);
            v_zone text := (select timezone from organizations where id = v_org);
            v_day date := (p_now at time zone v_zone)::date;
            v_month date := date_trunc('month', v_day::timestamp)::date;
            v_amount int := p_amount;
            v_state text;
        begin
            if p_lease_until is not null then
                perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'credits', v_org, p_id), 0));
                update credit_entries set lease_until = case when state = 'reserved' then p_lease_until end
                 where org_id = v_org and id = p_id returning state, amount into v_state, v_amount;
                if v_state in ('reserved', 'settled') then
                    granted := true;
                    return;
                end if;
                v_amount := coalesce(v_amount, p_amount);
            end if;
            granted := v_environment = 'sandbox' or take_from_month(
                v_org, v_month, case when p_lease_until is null then v_amount else 0 end,
                case when p_lease_until is null then 0 else v_amount end);
            if granted then
                insert into credit_entries as e
                       (org_id, id, month, day, environment, at, operation, actor, key_id, request_id, cause, amount,
                        state, lease_until, settled_amount)
                values (v_org, p_id, v_month, v_day, v_environment, p_now, p_operation, p_actor, p_key_id, p_request_id,
                        p_cause, v_amount, case when p_lease_until is null then 'settled' else 'reserved' end,
                        p_lease_until, case when p_lease_until is null then v_amount end)
                on conflict (org_id, id) do update
                   set month = excluded.month, day = excluded.day, at = excluded.at,
                       state = excluded.state, lease_until = excluded.lease_until;
                return;
            end if;
            select greatest(0, monthly_allowance(v_org) - m.used - m.reserved) into available
              from credit_months m where m.org_id = v_org and m.month = v_month;
            resets_at := (v_month + interval '1 month') at time zone v_zone;
        end $$;
        revoke all on function monthly_allowance(uuid) from public;
        revoke all on function take_from_month(uuid, date, int, int) from public;
    """)
    op.execute(definer_function("take_credits(text, text, int, text, text, text, text, timestamptz, timestamptz)"))


def _settling() -> None:
    op.execute("""
        -- What was refunded, since its lease had run out, is taken again as far as the month goes.
        create function settle_credits(p_id text, p_amount int) returns int
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v credit_entries;
            v_settled int;
        begin
            select e.* into v from credit_entries e where e.org_id = v_org and e.id = p_id for update;
            if v.state is null or v.state = 'settled' then
                return v.settled_amount;
            end if;
            v_settled := least(p_amount, v.amount);
            if v.environment = 'live' then
                if v.state = 'refunded' then
                    select least(v_settled, m.allowance - m.used - m.reserved) into v_settled
                      from credit_months m where m.org_id = v_org and m.month = v.month for update;
                end if;
                update credit_months m
                   set used = m.used + v_settled,
                       reserved = m.reserved - case when v.state = 'reserved' then v.amount else 0 end
                 where m.org_id = v_org and m.month = v.month;
            end if;
            update credit_entries set state = 'settled', settled_amount = v_settled, lease_until = null
             where org_id = v_org and id = p_id;
            return v_settled;
        end $$;

        create function refund_credits(p_id text) returns void
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v credit_entries;
        begin
            update credit_entries set state = 'refunded', lease_until = null
             where org_id = v_org and id = p_id and state = 'reserved' returning * into v;
            if found and v.environment = 'live' then
                update credit_months set reserved = reserved - v.amount where org_id = v_org and month = v.month;
            end if;
        end $$;

        -- Of all organisations; how many there were.
        create function refund_lapsed_credits(p_now timestamptz, p_limit int) returns int
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_refunded int;
        begin
            with lapsed as materialized (
                select e.org_id, e.id from credit_entries e
                 where e.state = 'reserved' and e.lease_until <= p_now
                 order by e.lease_until limit p_limit for update skip locked
            ), refunded as (
                update credit_entries e set state = 'refunded', lease_until = null
                  from lapsed l where e.org_id = l.org_id and e.id = l.id
                returning e.org_id, e.month, e.environment, e.amount
            ), sums as materialized (
                select org_id, month, sum(amount)::int as amount from refunded where environment = 'live' group by 1, 2
            ), months as materialized (
                select m.org_id, m.month, s.amount
                  from credit_months m join sums s on s.org_id = m.org_id and s.month = m.month
                 order by m.org_id, m.month for update of m
            ), returned as (
                update credit_months m set reserved = m.reserved - o.amount
                  from months o where m.org_id = o.org_id and m.month = o.month
            )
            select count(*) into v_refunded from refunded;
            return v_refunded;
        end $$;
    """)
    for signature in ("settle_credits(text, int)", "refund_credits(text)", "refund_lapsed_credits(timestamptz, int)"):
        op.execute(definer_function(signature))


def _present() -> None:
    op.execute("""
        -- The month of the transaction's tenant; in the sandbox, what would have been taken.
        create function present_credits(p_now timestamptz,
            out month date, out allowance int, out used int, out reserved int, out remaining int, out resets_at timestamptz)
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_zone text := (select timezone from organizations where id = v_org);
        begin
            month := date_trunc('month', p_now at time zone v_zone)::date;
            allowance := monthly_allowance(v_org);
            resets_at := (month + interval '1 month') at time zone v_zone;
            if current_setting('app.environment', true) = 'live' then
                select m.used, m.reserved into used, reserved
                  from credit_months m where m.org_id = v_org and m.month = present_credits.month;
                remaining := greatest(0, allowance - coalesce(used + reserved, 0));
            else
                select sum(e.settled_amount), sum(e.amount) filter (where e.state = 'reserved') into used, reserved
                  from credit_entries e
                 where e.org_id = v_org and e.environment = 'sandbox'
                   and e.day >= present_credits.month and e.day < present_credits.month + interval '1 month';
                remaining := allowance;
            end if;
            used := coalesce(used, 0);
            reserved := coalesce(reserved, 0);
        end $$;

        -- The limits of the transaction's tenant and what is left of them, without charging anything.
        create function present_limits(p_now timestamptz,
            out plan text, out requests_per_minute int, out requests_per_second int, out remaining int,
            out remaining_this_second int, out resets_at timestamptz)
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v rate_windows;
        begin
            select o.plan, coalesce(o.requests_per_minute, p.requests_per_minute, 60 * o.requests_per_second),
                   coalesce(o.requests_per_second, p.requests_per_second, o.requests_per_minute, p.requests_per_minute)
              into plan, requests_per_minute, requests_per_second
              from organizations o join plans p on p.name = o.plan where o.id = v_org;
            select w.* into v from rate_windows w
             where w.org_id = v_org and w.environment = current_setting('app.environment', true);
            if v.minute_started_at + interval '1 minute' > p_now then
                remaining := greatest(0, requests_per_minute - v.minute_hits);
                resets_at := case when requests_per_minute is not null then v.minute_started_at + interval '1 minute' end;
            else
                remaining := requests_per_minute;
            end if;
            remaining_this_second := case
                when v.second_started_at + interval '1 second' > p_now
                then greatest(0, requests_per_second - v.second_hits) else requests_per_second end;
        end $$;
    """)
    op.execute(definer_function("present_limits(timestamptz)"))
    op.execute(definer_function("present_credits(timestamptz)"))
