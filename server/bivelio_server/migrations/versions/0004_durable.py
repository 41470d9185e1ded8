"""Durable execution: Absurd's schema, and the functions through which the serving role reaches it.

The functions are Absurd's own for one queue, with static SQL: Absurd's `execute format(…)` plans every call anew. They
leave its tables as Absurd's would; no function here registers waits for events or cancellation rules, so those parts
are left out. Rare calls go to Absurd's functions themselves.

A claim is known by the run's id and a token of its own in `claimed_by`: a run that slept keeps its id, so the id alone
does not tell the worker that owns it from one that used to.
"""

from contextlib import closing

from alembic import op

from bivelio_server.durable.engine import schema_sql
from bivelio_server.migrations.tenancy import SERVING_GROUP, definer_function

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Plans are kept per connection and may be made while the tables are empty, when reading them whole looks cheapest.
_FUNCTION = """language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    # Past text(), which would take its `:word` for a parameter.
    with closing(op.get_bind().connection.cursor()) as cursor:
        cursor.execute(schema_sql())
        cursor.execute("select absurd.create_queue('work')")
    op.execute(f"create schema durable; grant usage on schema durable to {SERVING_GROUP}")
    _asking()
    _claiming()
    _working()
    _leaving()
    _housekeeping()
    _lanes()


def _asking() -> None:
    op.execute(f"""
        -- Queues a task of the present tenant; a key that was used before gives the first task's id.
        create function durable.spawn(
            p_task text, p_params jsonb, p_idempotency_key text default null, p_available_at timestamptz default null)
        returns uuid {_FUNCTION} as $$
        declare
            v_org text := nullif(current_setting('app.org_id', true), '')::uuid::text;
            v_environment text := nullif(current_setting('app.environment', true), '');
            v_key text := v_org || '/' || v_environment || '/' || p_idempotency_key;
            v_now timestamptz := absurd.current_time();
            v_state text := case when p_available_at > v_now then 'sleeping' else 'pending' end;
            v_task uuid := absurd.portable_uuidv7();
            v_run uuid := absurd.portable_uuidv7();
        begin
            if v_org is null or v_environment is null then
                raise exception 'A task needs a tenant' using errcode = 'insufficient_privilege';
            end if;
            insert into absurd.t_work
                (task_id, task_name, params, headers, enqueue_at, state, attempts, last_attempt_run, idempotency_key)
            values (v_task, p_task, coalesce(p_params, 'null'::jsonb),
                    jsonb_build_object('org_id', v_org, 'environment', v_environment),
                    v_now, v_state, 1, v_run, v_key)
            on conflict (idempotency_key) do nothing;
            if not found then
                return (select t.task_id from absurd.t_work t where t.idempotency_key = v_key);
            end if;
            insert into absurd.r_work (run_id, task_id, attempt, state, available_at)
            values (v_run, v_task, 1, v_state, greatest(p_available_at, v_now));
            return v_task;
        end $$;

        create function durable.is_of_tenant(p_task_id uuid) returns boolean {_FUNCTION} as $$
        begin
            return exists (
                select from absurd.t_work t
                 where t.task_id = p_task_id
                   and t.headers ->> 'org_id' = nullif(current_setting('app.org_id', true), '')::uuid::text
                   and t.headers ->> 'environment' = current_setting('app.environment', true));
        end $$;
        revoke all on function durable.is_of_tenant(uuid) from public;

        -- False when the present tenant has no such task.
        create function durable.cancel(p_task_id uuid) returns boolean {_FUNCTION} as $$
        begin
            if not durable.is_of_tenant(p_task_id) then
                return false;
            end if;
            perform absurd.cancel_task('work', p_task_id);
            return true;
        end $$;

        -- Makes a sleeping task of the present tenant due now; false when it does not sleep. Waits for a fenced
        -- transaction of the task that is open: it may be about to sleep without having seen the caller's change.
        create function durable.wake(p_task_id uuid) returns boolean {_FUNCTION} as $$
        declare
            v_run uuid;
            v_state text;
        begin
            if not durable.is_of_tenant(p_task_id) then
                return false;
            end if;
            select r.run_id, r.state into v_run, v_state from absurd.r_work r
             where r.task_id = p_task_id and r.state in ('pending', 'sleeping', 'running')
             order by r.run_id limit 1 for update;
            if v_state is distinct from 'sleeping' then
                return false;
            end if;
            update absurd.r_work r
               set state = 'pending', available_at = absurd.current_time(), wake_event = null,
                   claimed_by = null, claim_expires_at = null
             where r.run_id = v_run;
            update absurd.t_work t set state = 'pending' where t.task_id = p_task_id;
            return true;
        end $$;
    """)
    op.execute(definer_function("durable.spawn(text, jsonb, text, timestamptz)"))
    op.execute(definer_function("durable.cancel(uuid)"))
    op.execute(definer_function("durable.wake(uuid)"))


def _claiming() -> None:
    op.execute(f"""
        -- Ends runs whose lease ran out and starts their next attempts, then claims up to `p_quantity` due runs. When
        -- there were fewer, a last row without a run tells in how many seconds the next one is due (null: none waits).
        -- `p_now` is the worker's clock: a sleeper is due when either clock says so; leases go by the database's.
        -- The commit need not reach the disk: a claim that a crash forgets is refused at its first fence.
        create function durable.claim(
            p_worker text, p_lease_seconds int, p_quantity int, p_now timestamptz default null)
        returns table (run_id uuid, task_id uuid, attempt int, task_name text, params jsonb,
                       org_id uuid, environment text, next_in double precision)
        {_FUNCTION} as $$
        declare
            v_now timestamptz := absurd.current_time();
            v_due timestamptz;
            v_expired record;
            v_claimed int;
        begin
            perform set_config('synchronous_commit', 'off', true);
            for v_expired in
                select r.run_id, r.claimed_by, r.claim_expires_at, r.attempt from absurd.r_work r
                 where r.state = 'running' and r.claim_expires_at is not null and r.claim_expires_at <= v_now
                 order by r.claim_expires_at, r.run_id limit 100 for update skip locked
            loop
                perform absurd.fail_run('work', v_expired.run_id, jsonb_strip_nulls(jsonb_build_object(
                    'name', '$ClaimTimeout', 'message', 'worker did not finish task within claim interval',
                    'workerId', v_expired.claimed_by, 'claimExpiredAt', v_expired.claim_expires_at,
                    'attempt', v_expired.attempt)), null);
            end loop;
            v_now := absurd.current_time();
            v_due := greatest(v_now, p_now);

            -- Each state is read in the order of the index (state, available_at), however long the queue is.
            return query
            with waiting as materialized (
                select r.run_id, r.available_at from absurd.r_work r
                 where r.state = 'pending' and r.available_at <= v_due
                 order by r.available_at, r.run_id limit p_quantity for update skip locked
            ), slept as materialized (
                select r.run_id, r.available_at from absurd.r_work r
                 where r.state = 'sleeping' and r.available_at <= v_due
                 order by r.available_at, r.run_id limit p_quantity for update skip locked
            ), chosen as materialized (
                select c.run_id from (select * from waiting union all select * from slept) c
                 order by c.available_at, c.run_id limit p_quantity
            ), started as (
                update absurd.r_work r
                   set state = 'running', claimed_by = p_worker, started_at = v_now, available_at = v_now,
                       claim_expires_at = v_now + make_interval(secs => p_lease_seconds)
                  from chosen c where r.run_id = c.run_id
                returning r.run_id, r.task_id, r.attempt
            ), marked as (
                update absurd.t_work t
                   set state = 'running', attempts = greatest(t.attempts, s.attempt),
                       first_started_at = coalesce(t.first_started_at, v_now), last_attempt_run = s.run_id
                  from started s where t.task_id = s.task_id
                returning s.run_id, t.task_id, s.attempt, t.task_name, t.params, t.headers
            )
            select m.run_id, m.task_id, m.attempt, m.task_name, m.params,
                   (m.headers ->> 'org_id')::uuid, m.headers ->> 'environment', null::double precision
              from marked m;
            get diagnostics v_claimed = row_count;
            if v_claimed < p_quantity then
                return query
                select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::uuid, null::text,
                       extract(epoch from least(
                           (select r.available_at from absurd.r_work r where r.state = 'pending'
                             order by r.available_at limit 1),
                           (select r.available_at from absurd.r_work r where r.state = 'sleeping'
                             order by r.available_at limit 1)) - v_due)::double precision;
            end if;
        end $$;
    """)
    op.execute(definer_function("durable.claim(text, int, int, timestamptz)"))


def _working() -> None:
    op.execute(f"""
        create function durable.refuse(p_run_id uuid) returns void {_FUNCTION} as $$
        declare
            v_state text := (select r.state from absurd.r_work r where r.run_id = p_run_id);
        begin
            if v_state = 'cancelled' then
                raise exception 'The task has been cancelled' using errcode = 'AB001';
            elsif v_state = 'failed' or v_state = 'running' then
                raise exception 'Run % belongs to another claim', p_run_id using errcode = 'AB002';
            end if;
            raise exception 'Run % is not running', p_run_id;
        end $$;
        revoke all on function durable.refuse(uuid) from public;

        -- The opening of a fenced transaction: locks the run, so that nobody takes it over before the end, and sets
        -- its tenant. Raises AB001 (cancelled), AB002 (another claim has it) or P0001 (not running). A worker that
        -- stops inside the transaction must not keep the lock: its session is ended after the time of a lease.
        create function durable.enter(p_run_id uuid, p_worker text, p_lease_seconds int) returns void {_FUNCTION} as $$
        declare
            v_now timestamptz := absurd.current_time();
            v_expires timestamptz;
            v_headers jsonb;
        begin
            select r.claim_expires_at, t.headers into v_expires, v_headers
              from absurd.r_work r join absurd.t_work t on t.task_id = r.task_id
             where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker
               for update of r;
            if not found then
                perform durable.refuse(p_run_id);
            end if;
            if v_expires < v_now + make_interval(secs => p_lease_seconds * 0.5) then
                update absurd.r_work r set claim_expires_at = v_now + make_interval(secs => p_lease_seconds)
                 where r.run_id = p_run_id;
            end if;
            perform set_config('app.org_id', v_headers ->> 'org_id', true),
                    set_config('app.environment', v_headers ->> 'environment', true),
                    set_config('idle_in_transaction_session_timeout', (p_lease_seconds * 1000)::text, true);
        end $$;

        -- The heartbeat: extends the leases of `p_run_ids`, each held with the token at its place in `p_workers`, and
        -- returns those that are lost. One that is locked is passed over: its own transaction is open, nobody takes it.
        create function durable.extend(p_run_ids uuid[], p_workers text[], p_lease_seconds int)
        returns setof uuid {_FUNCTION} as $$
        begin
            perform set_config('synchronous_commit', 'off', true);
            with ours as materialized (
                select r.run_id
                  from unnest(p_run_ids, p_workers) as held (run_id, worker)
                  join absurd.r_work r on r.run_id = held.run_id
                 where r.state = 'running' and r.claimed_by = held.worker
                   for update of r skip locked
            )
            update absurd.r_work r
               set claim_expires_at = absurd.current_time() + make_interval(secs => p_lease_seconds)
              from ours where r.run_id = ours.run_id;
            return query
            select held.run_id
              from unnest(p_run_ids, p_workers) as held (run_id, worker)
              left join absurd.r_work r on r.run_id = held.run_id
             where r.state is distinct from 'running' or r.claimed_by is distinct from held.worker;
        end $$;
    """)
    op.execute(definer_function("durable.enter(uuid, text, int)"))
    op.execute(definer_function("durable.extend(uuid[], text[], int)"))


def _leaving() -> None:
    op.execute(f"""
        create function durable.finish(p_run_id uuid, p_worker text) returns void {_FUNCTION} as $$
        declare
            v_task uuid;
        begin
            update absurd.r_work r set state = 'completed', completed_at = absurd.current_time(), result = null
             where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker
            returning r.task_id into v_task;
            if v_task is null then
                perform durable.refuse(p_run_id);
            end if;
            update absurd.t_work t set state = 'completed', completed_payload = null, last_attempt_run = p_run_id
             where t.task_id = v_task;
        end $$;

        create function durable.sleep_until(p_run_id uuid, p_worker text, p_when timestamptz)
        returns void {_FUNCTION} as $$
        declare
            v_task uuid;
        begin
            update absurd.r_work r
               set state = 'sleeping', claimed_by = null, claim_expires_at = null, available_at = p_when, wake_event = null
             where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker
            returning r.task_id into v_task;
            if v_task is null then
                perform durable.refuse(p_run_id);
            end if;
            update absurd.t_work t set state = 'sleeping' where t.task_id = v_task;
        end $$;

        -- Puts the run off by `p_delay_seconds` without ending the attempt: for a worker that stops or does not know
        -- the task.
        create function durable.put_back(p_run_id uuid, p_worker text, p_delay_seconds double precision)
        returns void {_FUNCTION} as $$
        begin
            perform durable.sleep_until(
                p_run_id, p_worker, absurd.current_time() + make_interval(secs => p_delay_seconds));
        end $$;

        -- Ends the attempt with `p_error` (ids and names only) and makes the next one due after `p_delay_seconds`.
        create function durable.retry(p_run_id uuid, p_worker text, p_error jsonb, p_delay_seconds double precision)
        returns void {_FUNCTION} as $$
        begin
            perform from absurd.r_work r
              where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker for update;
            if not found then
                perform durable.refuse(p_run_id);
            end if;
            perform absurd.fail_run('work', p_run_id, p_error,
                                    absurd.current_time() + make_interval(secs => p_delay_seconds));
        end $$;
    """)
    op.execute(definer_function("durable.finish(uuid, text)"))
    op.execute(definer_function("durable.sleep_until(uuid, text, timestamptz)"))
    op.execute(definer_function("durable.put_back(uuid, text, double precision)"))
    op.execute(definer_function("durable.retry(uuid, text, jsonb, double precision)"))


def _housekeeping() -> None:
    op.execute(f"""
        -- Removes up to a thousand tasks that ended more than `p_ttl` ago; returns how many.
        create function durable.cleanup(p_ttl interval) returns int {_FUNCTION} as $$
        begin
            return absurd.cleanup_tasks('work', extract(epoch from p_ttl)::int, 1000);
        end $$;

        create function durable.queue_depth() returns table (due bigint, sleeping bigint, running bigint)
        {_FUNCTION} as $$
        declare
            v_now timestamptz := absurd.current_time();
        begin
            return query
            select count(*) filter (where r.state <> 'running' and r.available_at <= v_now),
                   count(*) filter (where r.state <> 'running' and r.available_at > v_now),
                   count(*) filter (where r.state = 'running')
              from absurd.r_work r where r.state in ('pending', 'sleeping', 'running');
        end $$;
    """)
    op.execute(definer_function("durable.cleanup(interval)"))
    op.execute(definer_function("durable.queue_depth()"))


def _lanes() -> None:
    op.execute(f"""
        create table durable.lanes (
            kind text not null,
            org_id uuid not null,
            environment text not null,
            key text not null,
            worker text not null,
            leased_until timestamptz not null,
            primary key (kind, org_id, environment, key)
        );
        alter table durable.lanes enable row level security;

        -- Takes up to `p_quantity` of the lanes, those that are free; returns their places in the arrays, from 1. An
        -- abandoned lane whose old worker still has a transaction open is passed over.
        create function durable.take_lanes(
            p_kind text, p_orgs uuid[], p_environments text[], p_keys text[],
            p_worker text, p_lease_seconds int, p_quantity int)
        returns setof int {_FUNCTION} as $$
        declare
            v_now timestamptz := clock_timestamp();
            v_until timestamptz := v_now + make_interval(secs => p_lease_seconds);
        begin
            return query
            with wanted as materialized (
                select w.org_id, w.environment, w.key, w.place::int as place
                  from unnest(p_orgs, p_environments, p_keys) with ordinality as w (org_id, environment, key, place)
                  left join durable.lanes l on l.kind = p_kind
                   and l.org_id = w.org_id and l.environment = w.environment and l.key = w.key
                 where l.leased_until is null or l.leased_until <= v_now
                 order by w.place limit p_quantity
            ), abandoned as materialized (
                select w.* from wanted w
                  join durable.lanes l on l.kind = p_kind
                   and l.org_id = w.org_id and l.environment = w.environment and l.key = w.key
                 where l.leased_until <= v_now
                   for update of l skip locked
            ), taken_over as (
                update durable.lanes l set worker = p_worker, leased_until = v_until
                  from abandoned a
                 where l.kind = p_kind and l.org_id = a.org_id and l.environment = a.environment and l.key = a.key
                returning a.place
            ), fresh as (
                insert into durable.lanes as l (kind, org_id, environment, key, worker, leased_until)
                select p_kind, w.org_id, w.environment, w.key, p_worker, v_until from wanted w
                 order by w.org_id, w.environment, w.key
                on conflict do nothing
                returning l.org_id, l.environment, l.key
            )
            select t.place from taken_over t
            union all
            select w.place from fresh f
              join wanted w on w.org_id = f.org_id and w.environment = f.environment and w.key = f.key;
        end $$;

        -- The heartbeat: extends the leases and returns the places, from 1, of the lanes that are lost.
        create function durable.keep_lanes(
            p_kind text, p_orgs uuid[], p_environments text[], p_keys text[], p_workers text[], p_lease_seconds int)
        returns setof int {_FUNCTION} as $$
        begin
            with ours as materialized (
                select l.org_id, l.environment, l.key
                  from unnest(p_orgs, p_environments, p_keys, p_workers) as h (org_id, environment, key, worker)
                  join durable.lanes l on l.kind = p_kind
                   and l.org_id = h.org_id and l.environment = h.environment and l.key = h.key and l.worker = h.worker
                   for update of l skip locked
            )
            update durable.lanes l set leased_until = clock_timestamp() + make_interval(secs => p_lease_seconds)
              from ours
             where l.kind = p_kind
               and l.org_id = ours.org_id and l.environment = ours.environment and l.key = ours.key;
            return query
            select h.place::int
              from unnest(p_orgs, p_environments, p_keys, p_workers) with ordinality
                   as h (org_id, environment, key, worker, place)
              left join durable.lanes l on l.kind = p_kind
               and l.org_id = h.org_id and l.environment = h.environment and l.key = h.key
             where l.worker is distinct from h.worker;
        end $$;

        -- The opening of a fenced transaction of a lane, as durable.enter; the lane's transactions may overlap.
        create function durable.enter_lane(
            p_kind text, p_org uuid, p_environment text, p_key text, p_worker text, p_lease_seconds int)
        returns void {_FUNCTION} as $$
        begin
            perform from durable.lanes l
              where l.kind = p_kind and l.org_id = p_org and l.environment = p_environment and l.key = p_key
                and l.worker = p_worker for share;
            if not found then
                raise exception 'The lane belongs to another worker' using errcode = 'AB002';
            end if;
            perform set_config('app.org_id', p_org::text, true),
                    set_config('app.environment', p_environment, true),
                    set_config('idle_in_transaction_session_timeout', (p_lease_seconds * 1000)::text, true);
        end $$;

        create function durable.leave_lane(p_kind text, p_org uuid, p_environment text, p_key text, p_worker text)
        returns void {_FUNCTION} as $$
        begin
            delete from durable.lanes l
             where l.kind = p_kind and l.org_id = p_org and l.environment = p_environment and l.key = p_key
               and l.worker = p_worker;
        end $$;
    """)
    op.execute(definer_function("durable.take_lanes(text, uuid[], text[], text[], text, int, int)"))
    op.execute(definer_function("durable.keep_lanes(text, uuid[], text[], text[], text[], int)"))
    op.execute(definer_function("durable.enter_lane(text, uuid, text, text, text, int)"))
    op.execute(definer_function("durable.leave_lane(text, uuid, text, text, text)"))
