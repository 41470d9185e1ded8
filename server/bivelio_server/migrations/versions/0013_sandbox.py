"""The sandbox: its purge, its clock, what its simulated providers keep; and the outbox of mail."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function, organisation_table

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As in 0004: plans that do not depend on how full the tables were when they were made.
_FUNCTION = """language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    _clock()
    _ages()
    _purge()
    _reset()
    _durable_time()
    _webhooks_due()
    _mail()


def _clock() -> None:
    op.execute("""
        create table sandbox_clocks (
            org_id uuid primary key references organizations (id),
            ahead interval not null check (ahead >= interval '0'),
            updated_at timestamptz not null
        );

        -- How far the clock of the organisation's sandbox is ahead; nothing for live.
        create function sandbox_ahead(p_org uuid, p_environment text) returns interval
        language sql stable security definer set search_path = public, pg_temp as $$
            select coalesce((select ahead from sandbox_clocks where p_environment = 'sandbox' and org_id = p_org),
                            interval '0')
        $$;
    """)
    op.execute("""
        create function refresh_token_environment(p_digest bytea) returns text
        language sql stable security definer set search_path = public, pg_temp as $$
            select s.environment from refresh_tokens t join sign_in_sessions s on s.id = t.session_id
             where t.digest = p_digest
        $$;
    """)
    op.execute(organisation_table("sandbox_clocks"))
    op.execute(definer_function("refresh_token_environment(bytea)"))
    op.execute(definer_function("sandbox_ahead(uuid, text)"))


def _ages() -> None:
    # A row's age counts from `created_at`, or from the column that its table's comment names (`purged-by:<column>`).
    # What cannot be without another row goes with it. A reference that may be emptied says so, `on delete set null`.
    op.execute("""
        comment on table rate_windows is 'not purged: one row, and clearing a sandbox must not clear what was charged';
        comment on table events is 'purged-by:occurred_at';
        comment on table workflow_instances is 'purged-by:started_at';
        alter table event_subscriptions add column created_at timestamptz not null default now();
        alter table event_subscriptions alter column created_at drop default;
        alter table contacts
            drop constraint contacts_org_id_environment_company_id_fkey,
            add foreign key (org_id, environment, company_id) references contacts (org_id, environment, id)
                on delete set null (company_id);
    """)


def _purge() -> None:
    op.execute(f"""
        -- Every business table that is not marked `not purged: <why>`, how far it is from a table that refers to no other, and the condition under which a row
        -- of it (`t<depth>`) is to go: older than `o.cutoff`, or part of a row that is. Null: nothing tells its age.
        create function sandbox_tables() returns table (name text, depth int, condition text, has_tasks boolean)
        {_FUNCTION} as $$
        declare
            v_conditions jsonb := '{{}}';
            v_depths jsonb := '{{}}';
            v_table record;
        begin
            for v_table in
                with recursive tables as materialized (
                    select c.oid, c.relname::text as name,
                           coalesce(substring(obj_description(c.oid, 'pg_class') from 'purged-by:(\\w+)'),
                                    (select 'created_at' from pg_attribute a
                                      where a.attrelid = c.oid and a.attname = 'created_at')) as age
                      from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
                     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                       and coalesce(obj_description(c.oid, 'pg_class'), '') not like 'not purged:%'
                       and (select array_agg(a.attname::text order by k.place)
                              from unnest(i.indkey::int2[]) with ordinality as k (number, place)
                              join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
                             where k.place <= 2) = array['org_id', 'environment']
                ), links as materialized (
                    select f.conrelid as child, f.confrelid as parent, f.conkey, f.confkey
                      from pg_constraint f
                     where f.contype = 'f' and f.confdeltype in ('a', 'r', 'c') and f.conrelid <> f.confrelid
                       and f.conrelid in (select oid from tables) and f.confrelid in (select oid from tables)
                ), paths as (
                    select t.oid, t.oid as at, 0 as depth from tables t
                    union
                    select p.oid, l.parent, p.depth + 1 from paths p join links l on l.child = p.at where p.depth < 30
                ), depths as materialized (
                    select p.oid, max(p.depth) as depth from paths p group by p.oid
                )
                select t.name, t.age, d.depth, exists (
                           select from pg_attribute a
                            where a.attrelid = t.oid and a.attname = 'task_id' and a.atttypid = 'uuid'::regtype) as has_tasks,
                       (select coalesce(jsonb_agg(jsonb_build_object('parent', p.name, 'on', (
                                   select string_agg(format('t%s.%I = t%s.%I', dp.depth, pa.attname, d.depth, ca.attname), ' and ')
                                     from unnest(l.conkey, l.confkey) as k (child, parent)
                                     join pg_attribute ca on ca.attrelid = l.child and ca.attnum = k.child
                                     join pg_attribute pa on pa.attrelid = l.parent and pa.attnum = k.parent))), '[]')
                          from links l join tables p on p.oid = l.parent join depths dp on dp.oid = l.parent
                         where l.child = t.oid) as parents
                  from tables t join depths d on d.oid = t.oid
                 order by d.depth, t.name
            loop
                name := v_table.name;
                depth := v_table.depth;
                has_tasks := v_table.has_tasks;
                condition := (
                    select string_agg(part, ' or ') from (
                        select format('t%s.%I <= o.cutoff', v_table.depth, v_table.age) as part where v_table.age is not null
                        union all
                        select format('exists (select from public.%I t%s where %s and (%s))', p.value ->> 'parent',
                                      v_depths ->> (p.value ->> 'parent'), p.value ->> 'on',
                                      v_conditions ->> (p.value ->> 'parent'))
                          from jsonb_array_elements(v_table.parents) p
                         where v_conditions ->> (p.value ->> 'parent') is not null) parts);
                v_conditions := v_conditions || jsonb_build_object(name, condition);
                v_depths := v_depths || jsonb_build_object(name, depth);
                return next;
            end loop;
        end $$;

        -- Removes up to `p_limit` sandbox rows of one table that are 24 hours old by `p_now` and the clock of their
        -- sandbox, of one organisation or of all, and cancels their durable tasks. Children's tables first. What another
        -- transaction holds is left for the next time. Returns how many; -1 when another process is purging all.
        create function purge_sandbox(p_table text, p_now timestamptz, p_org uuid, p_limit int) returns int
        {_FUNCTION} as $$
        declare
            v_plan record;
            v_rows tid[];
            v_row tid;
            v_removed int := 0;
        begin
            if p_org is null and not pg_try_advisory_xact_lock(hashtext('bivelio'), hashtext('purge_sandbox')) then
                return -1;
            end if;
            select s.* into v_plan from public.sandbox_tables() s where s.name = p_table and s.condition is not null;
            if not found then
                raise exception 'No business table whose rows have an age: %', p_table;
            end if;
            execute format($find$
                select array(
                    select old.row_id from (
                        select n.id, $1 - interval '24 hours' + public.sandbox_ahead(n.id, 'sandbox') as cutoff
                          from public.organizations n where $2 is null or n.id = $2) o
                     cross join lateral (
                        select %1$s.ctid as row_id from public.%2$I %1$s
                         where %1$s.org_id = o.id and %1$s.environment = 'sandbox' and (%3$s) limit $3) old
                     limit $3)
                $find$, 't' || v_plan.depth, p_table, v_plan.condition)
            using p_now, p_org, p_limit into v_rows;
            if v_plan.has_tasks then
                perform public.cancel_tasks_of(p_table, v_rows);
            end if;
            begin
                execute format($remove$
                    delete from public.%1$I where ctid = any (array(
                        select r.ctid from public.%1$I r where r.ctid = any ($1) and r.environment = 'sandbox'
                           for update skip locked))
                    $remove$, p_table)
                using v_rows;
                get diagnostics v_removed = row_count;
            exception when foreign_key_violation then
                -- Something was added to one of them just now: that one stays until its turn comes again.
                foreach v_row in array v_rows loop
                    begin
                        execute format('delete from public.%I where ctid = $1 and environment = ''sandbox''', p_table)
                        using v_row;
                        v_removed := v_removed + 1;
                    exception when foreign_key_violation then
                        null;
                    end;
                end loop;
            end;
            return v_removed;
        end $$;

        -- Before their rows are locked: a handler locks its task first, and then the rows.
        create function cancel_tasks_of(p_table text, p_rows tid[]) returns void {_FUNCTION} as $$
        declare
            v_task uuid;
        begin
            for v_task in execute format(
                'select w.task_id from public.%I r join absurd.t_work w on w.task_id = r.task_id'
                ' where r.ctid = any ($1) and w.state not in (''completed'', ''failed'', ''cancelled'') order by 1',
                p_table) using p_rows
            loop
                perform absurd.cancel_task('work', v_task);
            end loop;
        end $$;
        revoke all on function cancel_tasks_of(text, tid[]) from public;
    """)
    op.execute(definer_function("sandbox_tables()"))
    op.execute(definer_function("purge_sandbox(text, timestamptz, uuid, int)"))


def _reset() -> None:
    op.execute(f"""
        create index t_work_sandbox on absurd.t_work ((headers ->> 'org_id')) where headers ->> 'environment' = 'sandbox';

        create function sandbox_org() returns text {_FUNCTION} as $$
        begin
            if current_setting('app.environment', true) is distinct from 'sandbox' then
                raise exception 'Only a sandbox can be cleared or moved in time' using errcode = 'insufficient_privilege';
            end if;
            return nullif(current_setting('app.org_id', true), '')::uuid::text;
        end $$;
        revoke all on function sandbox_org() from public;

        -- Removes every business row of the present sandbox, cancels its tasks and sets its clock right; how many rows.
        create function reset_sandbox() returns bigint {_FUNCTION} as $$
        declare
            v_org text := public.sandbox_org();
            v_task uuid;
            v_table text;
            v_count bigint;
            v_removed bigint := 0;
        begin
            for v_task in
                select w.task_id from absurd.t_work w
                 where w.headers ->> 'org_id' = v_org and w.headers ->> 'environment' = 'sandbox'
                   and w.state not in ('completed', 'failed', 'cancelled') order by 1
            loop
                perform absurd.cancel_task('work', v_task);
            end loop;
            for v_table in select s.name from public.sandbox_tables() s where s.condition is not null order by s.depth desc, s.name
            loop
                execute format('delete from public.%I where org_id = $1 and environment = ''sandbox''', v_table)
                using v_org::uuid;
                get diagnostics v_count = row_count;
                v_removed := v_removed + v_count;
            end loop;
            delete from public.sandbox_clocks where org_id = v_org::uuid;
            return v_removed;
        end $$;

        -- Moves the clock of the present sandbox and makes its sleeping tasks due earlier by as much; how far ahead the
        -- clock is now. The lock keeps a task from going to sleep by the old clock meanwhile.
        create function advance_sandbox_clock(p_by interval, p_now timestamptz) returns interval {_FUNCTION} as $$
        declare
            v_org text := public.sandbox_org();
            v_ahead interval;
        begin
            perform pg_advisory_xact_lock(hashtext('sandbox_clock'), hashtext(v_org));
            insert into public.sandbox_clocks as c (org_id, ahead, updated_at) values (v_org::uuid, p_by, p_now)
            on conflict (org_id) do update set ahead = c.ahead + p_by, updated_at = p_now
            returning ahead into v_ahead;
            update absurd.r_work r set available_at = r.available_at - p_by
              from absurd.t_work w
             where w.headers ->> 'org_id' = v_org and w.headers ->> 'environment' = 'sandbox'
               and w.state in ('pending', 'sleeping') and r.task_id = w.task_id and r.state in ('pending', 'sleeping');
            return v_ahead;
        end $$;
    """)
    op.execute(definer_function("reset_sandbox()"))
    op.execute(definer_function("advance_sandbox_clock(interval, timestamptz)"))


def _durable_time() -> None:
    # The engine goes by the database's clock: a time of the sandbox is turned into that where it enters the queue.
    op.execute(f"""
        create function durable.queue_time(p_when timestamptz) returns timestamptz strict {_FUNCTION} as $$
        begin
            if current_setting('app.environment', true) is distinct from 'sandbox' then
                return p_when;
            end if;
            perform pg_advisory_xact_lock_shared(
                hashtext('sandbox_clock'), hashtext(current_setting('app.org_id', true)::uuid::text));
            return p_when - public.sandbox_ahead(current_setting('app.org_id', true)::uuid, 'sandbox');
        end $$;
    """)
    op.execute(definer_function("durable.queue_time(timestamptz)"))


def _webhooks_due() -> None:
    # As in 0005, but what is due in a sandbox is so by its own clock.
    op.execute("""
        create or replace function webhooks_due(p_now timestamptz)
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
            ), timed as materialized (
                select p.*, case p.environment when 'live' then p_now
                                 else p_now + sandbox_ahead(p.org_id, p.environment) end as present
                  from pending p
            )
            select t.org_id, t.environment, t.webhook_id from timed t
             where exists (
                select from webhook_endpoints e
                 where e.org_id = t.org_id and e.environment = t.environment and e.id = t.webhook_id
                   and e.status = 'active' and e.deleted_at is null)
               and exists (
                select from generate_series(0, 4) as tried (failures) where exists (
                    select from webhook_deliveries d
                     where d.org_id = t.org_id and d.environment = t.environment and d.webhook_id = t.webhook_id
                       and d.failures = tried.failures and d.next_attempt_at <= t.present));
        end $$;
    """)


def _mail() -> None:
    op.execute("""
        create table mail_outbox (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            recipient text not null,
            recipient_name text,
            subject text not null,
            body bytea,
            status text not null check (status in ('queued', 'sent', 'failed')),
            attempts int not null,
            error jsonb,
            task_id uuid,
            created_at timestamptz not null,
            finished_at timestamptz,
            primary key (org_id, environment, id),
            check ((status = 'queued') = (finished_at is null))
        );
        comment on column mail_outbox.recipient is 'personal';
        comment on column mail_outbox.recipient_name is 'personal';
        comment on column mail_outbox.subject is 'personal';
        comment on column mail_outbox.body is 'personal';

        create table simulated_messages (
            org_id uuid not null references organizations (id),
            environment text not null check (environment = 'sandbox'),
            id text not null,
            channel text not null,
            recipient text not null,
            recipient_name text,
            subject text,
            body text not null,
            outcome text not null check (outcome in ('sent', 'refused', 'failed')),
            attempts int not null,
            key text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (org_id, environment, id),
            unique (org_id, environment, channel, key)
        );
        create index simulated_messages_newest on simulated_messages (org_id, environment, created_at desc, id desc);
        comment on column simulated_messages.recipient is 'personal';
        comment on column simulated_messages.recipient_name is 'personal';
        comment on column simulated_messages.subject is 'personal';
        comment on column simulated_messages.body is 'personal';
    """)
    op.execute("""
        create index mail_outbox_finished on mail_outbox (finished_at) where finished_at is not null;
        create index notices_unmailed on notices (created_at) where mailed_at is null and environment = 'live';

        create function notices_to_mail(p_now timestamptz) returns table (org_id uuid, environment text, key text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select distinct n.org_id, 'live', 'owners' from notices n
             where n.mailed_at is null and n.environment = 'live' and n.created_at > p_now - interval '3 days'
        $$;

        create function owner_addresses() returns table (email text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select u.email from members m join users u on u.id = m.user_id
             where m.role = 'owner' and m.org_id = nullif(current_setting('app.org_id', true), '')::uuid
             order by m.created_at, u.id
        $$;

        -- What became of a message is kept for a while; its text is gone as soon as it is known.
        create function prune_mail(p_before timestamptz, p_limit int) returns int
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_removed int;
        begin
            delete from mail_outbox where (org_id, environment, id) in (
                select m.org_id, m.environment, m.id from mail_outbox m
                 where m.finished_at < p_before order by m.finished_at limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("notices_to_mail(timestamptz)"))
    op.execute(definer_function("owner_addresses()"))
    op.execute(definer_function("prune_mail(timestamptz, int)"))
    op.execute(business_table("mail_outbox"))
    op.execute(business_table("simulated_messages"))
