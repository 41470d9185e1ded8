"""Due work is claimed in turns between organisations; a run knows how many of its claims were lost in a row."""

from alembic import op

from bivelio_server.migrations.online import index_online
from bivelio_server.migrations.tenancy import definer_function

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# As in 0004: plans that do not depend on how full the tables were when they were made.
_FUNCTION = """language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""
# Their order always comes from an index; a plan made for the values of one call is not better, and costs as much as it.
_CLAIMING = f"{_FUNCTION} set enable_sort = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan"


def upgrade() -> None:
    _columns()
    for state in ("pending", "sleeping"):
        index_online(f"absurd.r_work_{state}", f"absurd.r_work (available_at, run_id) where state = '{state}'")
    index_online("absurd.r_work_turns", "absurd.r_work (org_id, available_at, run_id) where state = 'pending'")
    _spawning()
    _claiming()
    _leaving()
    _figures()
    # Taken for a thousand rows, it made every load of a run look so dear that it was planned anew each time.
    op.execute("alter function present_rights(text, timestamptz) rows 1")
    # Whatever it served reads the others: smaller, and not written when a run is claimed or ends.
    op.execute("drop index absurd.r_work_sai")


def _columns() -> None:
    # In steps that may be repeated: the indexes online commit what came before them. Of runs that ended, nobody asks.
    op.execute("""
        alter table absurd.r_work add column if not exists org_id uuid;
        alter table absurd.r_work add column if not exists lost int not null default 0;

        -- Completes what Absurd's own functions insert, and a `durable.spawn` that is still the former one.
        create or replace function durable.complete_run() returns trigger
        language plpgsql set search_path = pg_catalog, pg_temp as $$
        begin
            new.org_id := (select (t.headers ->> 'org_id')::uuid from absurd.t_work t where t.task_id = new.task_id);
            new.lost := coalesce((
                select r.lost + 1 from absurd.r_work r
                 where r.task_id = new.task_id and r.attempt = new.attempt - 1
                   and r.failure_reason ->> 'name' = '$ClaimTimeout'), 0);
            return new;
        end $$;
        revoke all on function durable.complete_run() from public;
        create or replace trigger complete_run before insert on absurd.r_work
            for each row when (new.org_id is null) execute function durable.complete_run();

        update absurd.r_work r set org_id = (t.headers ->> 'org_id')::uuid
          from absurd.t_work t
         where r.state in ('pending', 'sleeping', 'running') and r.org_id is null and t.task_id = r.task_id;
    """)


def _spawning() -> None:
    # As in 0004, but with the organisation in the run.
    op.execute(f"""
        create or replace function durable.spawn(
            p_task text, p_params jsonb, p_idempotency_key text default null, p_available_at timestamptz default null)
        returns uuid {_FUNCTION} as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
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
            insert into absurd.r_work (run_id, task_id, attempt, state, available_at, org_id)
            values (v_run, v_task, 1, v_state, greatest(p_available_at, v_now), v_org);
            return v_task;
        end $$;
    """)


def _claiming() -> None:
    op.execute(f"""
        -- For `claim` alone, with its settings, as the functions after it.
        -- Ends runs whose lease ran out and starts their next attempts.
        create function durable.sweep() returns void language plpgsql as $$
        declare
            v_expired record;
        begin
            for v_expired in
                select r.run_id, r.claimed_by, r.claim_expires_at, r.attempt from absurd.r_work r
                 where r.state = 'running' and r.claim_expires_at is not null
                   and r.claim_expires_at <= absurd.current_time()
                 order by r.claim_expires_at, r.run_id limit 100 for update skip locked
            loop
                perform absurd.fail_run('work', v_expired.run_id, jsonb_strip_nulls(jsonb_build_object(
                    'name', '$ClaimTimeout', 'message', 'worker did not finish task within claim interval',
                    'workerId', v_expired.claimed_by, 'claimExpiredAt', v_expired.claim_expires_at,
                    'attempt', v_expired.attempt)), null);
            end loop;
        end $$;
        revoke all on function durable.sweep() from public;

        -- Makes due sleepers, a thousand at most, wait with the others, where they are found by organisation.
        create function durable.wake_due(p_due timestamptz) returns void language plpgsql as $$
        begin
            with slept as materialized (
                select r.run_id from absurd.r_work r
                 where r.state = 'sleeping' and r.available_at <= p_due
                 order by r.available_at, r.run_id limit 1000 for update skip locked
            ), awake as (
                update absurd.r_work r set state = 'pending' from slept s where r.run_id = s.run_id returning r.task_id
            )
            update absurd.t_work t set state = 'pending' from awake a where t.task_id = a.task_id;
        end $$;
        revoke all on function durable.wake_due(timestamptz) from public;

        -- Up to `p_quantity` organisations that have runs waiting and nothing in the asking process, from `p_after` on
        -- and round. Each costs one look into the index, however much it has waiting.
        create function durable.find_newcomers(p_quantity int, p_orgs uuid[], p_after uuid) returns uuid[]
        language plpgsql as $$
        declare
            v_found uuid[] := '{{}}';
            v_at uuid := p_after;
            v_next uuid;
            v_round boolean := false;
        begin
            while cardinality(v_found) < p_quantity loop
                select r.org_id into v_next from absurd.r_work r
                 where r.state = 'pending' and r.org_id > v_at order by r.org_id limit 1;
                if v_next is null and not v_round then
                    v_round := true;
                    v_at := '00000000-0000-0000-0000-000000000000';
                    continue;
                end if;
                exit when v_next is null or (v_round and v_next > p_after);
                if v_next <> all (p_orgs) then
                    v_found := v_found || v_next;
                end if;
                v_at := v_next;
            end loop;
            return v_found;
        end $$;
        revoke all on function durable.find_newcomers(int, uuid[], uuid) from public;

        -- The due runs whose turn it is when not all can be had. The n-th run of an organisation comes after every
        -- other organisation's runs before their n-th, counting those that it has in the asking process already.
        -- `p_open` runs may be anybody's; up to `p_quantity` in all, if the rest is the first of its organisation.
        -- `between` and the order keep the planner at the index by organisation: by time, one would find another's first.
        create function durable.choose_in_turns(
            p_due timestamptz, p_quantity int, p_open int, p_orgs uuid[], p_held int[], p_after uuid)
        returns table (run_id uuid) language plpgsql as $$
        declare
            v_newcomers uuid[];
        begin
            if exists (select from absurd.r_work r where r.state = 'sleeping' and r.available_at <= p_due) then
                perform durable.wake_due(p_due);
            end if;
            v_newcomers := durable.find_newcomers(p_quantity, p_orgs, p_after);
            return query
            with ranked as (
                select h.org_id, h.held + due.place - 1 as level, due.available_at
                  from (
                    select n.org_id, 0 as held from unnest(v_newcomers) as n (org_id)
                    union all
                    select o.org_id, o.held from unnest(p_orgs, p_held) as o (org_id, held) where p_open > 0) h
                 cross join lateral (
                    select r.available_at, row_number() over (order by r.available_at) as place from (
                        select r.available_at from absurd.r_work r
                         where r.state = 'pending' and r.org_id between h.org_id and h.org_id
                           and r.available_at <= p_due
                         order by r.org_id, r.available_at limit p_quantity) r) due
            ), placed as (
                select k.org_id, k.level, row_number() over (order by k.level, k.available_at, k.org_id) as place
                  from ranked k
            ), shares as materialized (
                select p.org_id, count(*) as runs from placed p
                 where p.place <= case when p.level = 0 then p_quantity else p_open end
                 group by p.org_id
            )
            select c.run_id from shares s cross join lateral (
                select r.run_id from absurd.r_work r
                 where r.state = 'pending' and r.org_id between s.org_id and s.org_id and r.available_at <= p_due
                 order by r.org_id, r.available_at, r.run_id limit s.runs for update skip locked) c;
        end $$;
        revoke all on function durable.choose_in_turns(timestamptz, int, int, uuid[], int[], uuid) from public;

        -- Claims due runs for `p_quantity` free places, of which the last `p_kept` are for organisations that have
        -- nothing in the asking process; what the others have there is in `p_orgs` and `p_held`. Where many wait, they
        -- are looked for from `p_after` on. Leases that ran out are ended first. Unless all places were filled, a last row without a run tells in how many seconds the next
        -- run is due (null: none waits), and in `backlog` whether due ones were left.
        -- `p_now` is the worker's clock: a sleeper is due when either clock says so; leases go by the database's.
        -- The commit need not reach the disk: a claim that a crash forgets is refused at its first fence.
        create function durable.claim(
            p_worker text, p_lease_seconds int, p_quantity int, p_now timestamptz,
            p_orgs uuid[], p_held int[], p_kept int, p_after uuid)
        returns table (run_id uuid, task_id uuid, attempt int, task_name text, params jsonb, org_id uuid,
                       environment text, lost int, next_in double precision, backlog boolean)
        {_CLAIMING} as $$
        declare
            v_open int := p_quantity - p_kept;
            v_now timestamptz;
            v_due timestamptz;
            v_chosen uuid[];
            v_claimed int;
            v_backlog boolean;
        begin
            perform set_config('synchronous_commit', 'off', true);
            if exists (select from absurd.r_work r where r.state = 'running' and r.claim_expires_at is not null
                          and r.claim_expires_at <= absurd.current_time()) then
                perform durable.sweep();
            end if;
            v_now := absurd.current_time();
            v_due := greatest(v_now, p_now);

            -- One more than may be claimed without regard to whose they are tells whether there is a backlog.
            select count(*) > v_open into v_backlog from (
                (select from absurd.r_work r where r.state = 'pending' and r.available_at <= v_due
                  order by r.available_at limit v_open + 1)
                union all
                (select from absurd.r_work r where r.state = 'sleeping' and r.available_at <= v_due
                  order by r.available_at limit v_open + 1)) c;
            if v_backlog then
                v_chosen := array(
                    select c.run_id from durable.choose_in_turns(v_due, p_quantity, v_open, p_orgs, p_held, p_after) c);
            else
                with waiting as materialized (
                    select r.run_id from absurd.r_work r where r.state = 'pending' and r.available_at <= v_due
                     order by r.available_at, r.run_id limit v_open for update skip locked
                ), slept as materialized (
                    select r.run_id from absurd.r_work r where r.state = 'sleeping' and r.available_at <= v_due
                     order by r.available_at, r.run_id limit v_open for update skip locked
                )
                select array_agg(c.run_id) into v_chosen from (
                    select w.run_id from waiting w union all select s.run_id from slept s limit v_open) c;
            end if;

            return query
            with started as (
                update absurd.r_work r
                   set state = 'running', claimed_by = p_worker, started_at = v_now, available_at = v_now,
                       claim_expires_at = v_now + make_interval(secs => p_lease_seconds)
                 where r.run_id = any (v_chosen)
                returning r.run_id, r.task_id, r.attempt, r.org_id, r.lost
            ), marked as (
                update absurd.t_work t
                   set state = 'running', attempts = greatest(t.attempts, s.attempt),
                       first_started_at = coalesce(t.first_started_at, v_now), last_attempt_run = s.run_id
                  from started s where t.task_id = s.task_id
                returning s.run_id, t.task_id, s.attempt, t.task_name, t.params, s.org_id,
                          t.headers ->> 'environment' as environment, s.lost
            )
            select m.*, null::double precision, null::boolean from marked m;
            get diagnostics v_claimed = row_count;
            if v_claimed < p_quantity then
                return query
                select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::uuid, null::text, null::int,
                       extract(epoch from least(
                           (select r.available_at from absurd.r_work r
                             where r.state = 'pending' and (not v_backlog or v_claimed = 0 and v_open > 0)
                             order by r.available_at limit 1),
                           (select r.available_at from absurd.r_work r
                             where r.state = 'sleeping' and r.available_at < 'infinity'
                             order by r.available_at limit 1)) - v_due)::double precision,
                       v_backlog;
            end if;
        end $$;

        -- For a worker of an earlier version beside ours.
        create or replace function durable.claim(
            p_worker text, p_lease_seconds int, p_quantity int, p_now timestamptz default null)
        returns table (run_id uuid, task_id uuid, attempt int, task_name text, params jsonb,
                       org_id uuid, environment text, next_in double precision)
        {_FUNCTION} as $$
        begin
            return query
            select c.run_id, c.task_id, c.attempt, c.task_name, c.params, c.org_id, c.environment, c.next_in
              from durable.claim(p_worker, p_lease_seconds, p_quantity, p_now, '{{}}', '{{}}', 0, gen_random_uuid()) c;
        end $$;
    """)
    op.execute(definer_function("durable.claim(text, int, int, timestamptz, uuid[], int[], int, uuid)"))


def _leaving() -> None:
    op.execute(f"""
        create or replace function durable.sleep_until(p_run_id uuid, p_worker text, p_when timestamptz)
        returns void {_FUNCTION} as $$
        begin
            perform durable.put_off(p_run_id, p_worker, p_when, 0);
        end $$;

        create or replace function durable.put_back(p_run_id uuid, p_worker text, p_delay_seconds double precision)
        returns void {_FUNCTION} as $$
        begin
            perform durable.put_off(
                p_run_id, p_worker, absurd.current_time() + make_interval(secs => p_delay_seconds), null);
        end $$;

        -- Gives the run back until `p_when`; `p_lost` as what counts of its lost claims from now on, null: as before.
        create function durable.put_off(p_run_id uuid, p_worker text, p_when timestamptz, p_lost int)
        returns void {_FUNCTION} as $$
        declare
            v_task uuid;
        begin
            update absurd.r_work r
               set state = 'sleeping', claimed_by = null, claim_expires_at = null, available_at = p_when,
                   wake_event = null, lost = coalesce(p_lost, r.lost)
             where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker
            returning r.task_id into v_task;
            if v_task is null then
                perform durable.refuse(p_run_id);
            end if;
            update absurd.t_work t set state = 'sleeping' where t.task_id = v_task;
        end $$;
        revoke all on function durable.put_off(uuid, text, timestamptz, int) from public;

        -- The run has got further: what it lost before does not count any more.
        create function durable.get_on(p_run_id uuid, p_worker text) returns void {_FUNCTION} as $$
        begin
            update absurd.r_work r set lost = 0
             where r.run_id = p_run_id and r.state = 'running' and r.claimed_by = p_worker;
            if not found then
                perform durable.refuse(p_run_id);
            end if;
        end $$;
    """)
    op.execute(definer_function("durable.get_on(uuid, text)"))


def _figures() -> None:
    # As in 0015, but by the indexes of what waits and of what is running.
    op.execute("""
        create or replace function durable.queue_figures(p_now timestamptz)
        returns table (task text, due bigint, sleeping bigint, running bigint, oldest_due timestamptz)
        language sql stable security definer set search_path = pg_catalog, pg_temp as $$
            select t.task_name,
                   count(*) filter (where r.state <> 'running' and r.available_at <= n.due),
                   count(*) filter (where r.state <> 'running' and r.available_at > n.due),
                   count(*) filter (where r.state = 'running'),
                   min(r.available_at) filter (where r.state <> 'running' and r.available_at <= n.due)
              from (select greatest(absurd.current_time(), p_now) as due) n
             cross join (
                select w.task_id, w.state, w.available_at from absurd.r_work w where w.state = 'pending'
                union all
                select w.task_id, w.state, w.available_at from absurd.r_work w where w.state = 'sleeping'
                union all
                select w.task_id, w.state, w.available_at from absurd.r_work w
                 where w.state = 'running' and w.claim_expires_at is not null) r
              join absurd.t_work t on t.task_id = r.task_id
             group by t.task_name
        $$;
    """)
